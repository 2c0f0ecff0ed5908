import signal

import pytest


@pytest.fixture(autouse=True)
def _signals_arrive():
    """A job in the background, or under nohup, ignores what these tests send."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler), signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGHUP), before, strict=True):
        signal.signal(number, handler)
