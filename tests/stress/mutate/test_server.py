"""The process of a net, seen from the command. A copy with a net of a few lines is enough."""

import select
import textwrap
import time
from pathlib import Path

import pytest

from stress.errors import HostError
from stress.mutate.messages import MutantRequest
from stress.mutate.server import Server

pytestmark = pytest.mark.slow
ECHO = """
    import sys
    for line in sys.stdin:
        print(line.strip(), flush=True)
"""


@pytest.fixture
def started(tmp_path):
    """Start a server whose module has this source."""
    servers = []

    def start(source):
        folder = tmp_path / "stress" / "mutate"
        folder.mkdir(parents=True, exist_ok=True)
        for package in (folder.parent, folder):
            (package / "__init__.py").write_text("")
        (folder / "nets.py").write_text(textwrap.dedent(source))
        servers.append(Server(("explore", "some-model"), tmp_path))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def test_a_request_is_answered(started):
    server = started(ECHO)
    server.ask(MutantRequest(12))
    assert select.select([server], [], [], 60)[0] == [server]
    assert server.read_answer() == {"mutant": 12}


@pytest.mark.parametrize(
    ("source", "said"),
    [("raise SystemExit('the model is broken')", "the model is broken"), ("pass", "without a message")],
)
def test_a_process_that_has_ended_is_an_error_with_its_last_line(started, source, said):
    server = started(source)
    server.ask(MutantRequest(1))
    with pytest.raises(HostError, match=f"explore some-model: its process ended: {said}"):
        server.read_answer()


def test_stopping_kills_what_it_has_forked(started):
    server = started(
        """
        import os, time
        child = os.fork()
        if child == 0:
            time.sleep(600)
        print('{"pid": %d}' % child, flush=True)
        time.sleep(600)
        """
    )
    pid = server.read_answer()["pid"]
    assert Path(f"/proc/{pid}").exists()
    server.stop()
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
