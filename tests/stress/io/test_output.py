"""Streams that fail without ending a run, and the line that says how far it is."""

import io
import os
import subprocess
import sys

import pytest

from stress.io import output
from stress.io.output import LiveLine, StageLine, ToughOutput
from stress.process import itself

ERASE = "\r\x1b[K"


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """time.monotonic() that a test sets."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(output, "time", clock)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    return clock


def test_a_line_on_a_terminal_is_drawn_over_and_erased(clock):
    out = Terminal()
    line = LiveLine(out)
    line.say("one")
    line.say("two")
    line.clear()
    line.clear()
    assert out.getvalue() == f"{ERASE}one{ERASE}two{ERASE}"


def test_a_line_is_cut_to_the_terminal(clock):
    out = Terminal()
    LiveLine(out).say("x" * 100)
    assert out.getvalue() == ERASE + "x" * 19


def test_a_line_is_due_now_and_then(clock):
    line = LiveLine(Terminal(), every_s=0.5)
    assert not line.is_due
    clock.now += 0.5
    assert line.is_due
    line.say("")
    assert not line.is_due


@pytest.mark.parametrize(("out", "term"), [(io.StringIO(), "xterm"), (Terminal(), "dumb"), (Terminal(), None)])
def test_without_a_terminal_that_can_erase_it_is_silent(clock, monkeypatch, out, term):
    monkeypatch.delenv("TERM")
    if term is not None:
        monkeypatch.setenv("TERM", term)
    line = LiveLine(out)
    clock.now += 1000
    assert not line.is_due
    line.say("one")
    line.update("two")
    line.clear()
    assert out.getvalue() == ""


def test_plain_lines_come_at_their_own_pace(clock):
    out = io.StringIO()
    line = LiveLine(out, plain_every_s=5.0)
    for second in range(11):
        clock.now = 100.0 + second
        line.update(f"{second} s")
    line.clear()
    assert out.getvalue() == "5 s\n10 s\n"


def test_a_rare_text_is_shown_on_a_terminal_without_delay(clock):
    out = Terminal()
    line = LiveLine(out)
    line.update("one")
    line.update("two")
    assert out.getvalue() == f"{ERASE}one{ERASE}two"


@pytest.mark.parametrize(("out", "expected"), [(Terminal(), f"{ERASE}one{ERASE}all done\n"), (io.StringIO(), "one\nall done\n")])
def test_a_last_text_stays(clock, out, expected):
    line = LiveLine(out, plain_every_s=5.0)
    line.say("one")
    line.leave("all done")
    line.clear()
    assert out.getvalue() == expected


def test_a_stage_has_the_command_and_its_time(clock):
    out = io.StringIO()
    stage = StageLine("compact", out, plain_every_s=2.0)
    stage("reading")
    clock.now += 12
    stage("loading")
    assert out.getvalue() == "compact:   12 s, loading\n"


# -------------------------------------------------------------------------------------------------------------- the streams


def test_what_cannot_be_written_is_dropped_and_remembered():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        tough = ToughOutput(full)
        assert tough.write("one") == 3
        tough.flush()
        assert tough.error.strerror == "No space left on device"
        assert tough.write("two") == 3
        tough.flush()
        assert os.path.samestat(os.fstat(full.fileno()), os.stat(os.devnull))  # noqa: PTH116


def test_a_stream_that_works_gets_everything(tmp_path):
    with (tmp_path / "out").open("w") as stream:
        tough = ToughOutput(stream)
        print("one", file=tough)
        assert tough.fileno() == stream.fileno()
        assert tough.error is None
    assert (tmp_path / "out").read_text() == "one\n"


USE = "import os, sys\nfrom stress.io.output import toughen\n"


def python(text, **popen):
    words = [sys.executable, "-P", "-c", USE + text]
    return subprocess.run(words, env={**itself.environment(), "PYTHONIOENCODING": "ascii"}, check=False, **popen)


@pytest.mark.slow
def test_a_closed_pipe_does_not_end_the_program():
    reading, writing = os.pipe()
    os.close(reading)
    text = "tough = toughen()\nfor _ in range(9): print('x' * 10000, flush=True)\n"
    text += "sys.exit(7 if isinstance(tough.error, BrokenPipeError) else 1)"
    done = python(text, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (7, b"")


@pytest.mark.slow
def test_closed_descriptors_do_not_end_the_program():
    text = "toughen()\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(7)"
    words = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", sys.executable, "-P", "-c", USE + text]
    assert subprocess.run(words, env=itself.environment(), check=False).returncode == 7


@pytest.mark.slow
def test_a_letter_that_the_locale_lacks_is_a_question_mark():
    done = python("toughen()\nprint('caf\\xe9')\nprint('\\xfc', file=sys.stderr)", capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"caf?\n", b"?\n")
