"""What is seen while a storm runs: plain lines on a pipe, a table on a terminal."""

import io
import re

import pytest

from stress.run.live import LiveView, plain_interval_s
from stress.storm.outcome import Totals


class Terminal(io.StringIO):
    def isatty(self):
        return True


def totals(anon, failed=0, migrated=0):
    return Totals([anon, 0], [failed, 0], 256, migrated, 0)


def test_plain_lines_on_a_pipe():
    out = io.StringIO()
    with LiveView(["anon", "numa"], [0], 10, 4096, out) as view:
        view.update(1.0, totals(100, failed=5, migrated=7))
        view.update(2.0, totals(300, failed=5, migrated=7))
    first, second = out.getvalue().splitlines()
    assert first == "1.0 s of 10.0 s, 9.0 s left; free 1 MiB; 7 migrated/s; anon 100/s (5 failed)"
    assert second.endswith("0 migrated/s; anon 200/s")


def test_a_long_storm_writes_fewer_lines():
    out = io.StringIO()
    with LiveView(["anon", "numa"], [0], 7200, 4096, out) as view:
        for second in range(1, 121):
            view.update(second, totals(second))
    assert len(out.getvalue().splitlines()) == 59 + 7  # one a second for a minute, then one in ten seconds
    assert [plain_interval_s(elapsed) for elapsed in (1, 100, 10_000)] == [1, 10, 60]


def test_a_terminal_shows_a_table_that_is_erased_at_the_end(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    with LiveView(["anon", "numa"], [0], 10, 4096, out) as view:
        view.update(1.0, totals(1000))
        drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())
        assert re.search(r"operations/s\s+failures/s\s+anon\s+1,000\s+0", drawn)
        assert "numa" not in drawn
    assert out.getvalue().rpartition("\n")[2].count("\x1b[2K") == 3, "the head, the title and one role"


@pytest.mark.parametrize("term", ["dumb", None])
def test_a_terminal_that_cannot_erase_gets_plain_lines(monkeypatch, term):
    monkeypatch.delenv("TERM", raising=False)
    if term is not None:
        monkeypatch.setenv("TERM", term)
    out = Terminal()
    with LiveView(["anon", "numa"], [0], 10, 4096, out) as view:
        view.update(1.0, totals(1000))
    assert out.getvalue() == "1.0 s of 10.0 s, 9.0 s left; free 1 MiB; 0 migrated/s; anon 1,000/s\n"
