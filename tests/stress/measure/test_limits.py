"""The C program: how it is built, asked, and gone. The compiler is a script that writes a script."""

import os
import shutil
import textwrap

import pytest

from stress.errors import HostError
from stress.measure.limits import CProgram
from stress.measure.slices import WORKS


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Let CC make a program with this text."""

    def make(program):
        (tmp_path / "program").write_text(f"#!/bin/sh\n{textwrap.dedent(program)}")
        (tmp_path / "program").chmod(0o755)
        path = tmp_path / "cc"
        path.write_text(f'#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\ncp {tmp_path}/program "$2"\n')
        path.chmod(0o755)
        monkeypatch.setenv("CC", str(path))

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return make


ECHO = """
    first=$1; second=$2
    while read name workers us; do echo "$name $workers $us $first $second" >> "$(dirname "$0")/../log"; echo 12.5; done
"""


def test_a_request_names_the_benchmark_and_a_bit_for_each_worker(compiler, tmp_path):
    compiler(ECHO)
    with CProgram((3, 5)) as program:
        assert program.ns("hot", (0,), 20) == 12.5
        assert program.ns("copy", (0, 1), 30) == 12.5
        program.ns("hot", (1,), 20)
    assert (tmp_path / "log").read_text().splitlines() == ["hot 1 20 3 5", "copy 3 30 3 5", "hot 2 20 3 5"]
    assert not list(tmp_path.glob("pfnstorm-*"))


def test_a_program_that_has_ended_is_an_error(compiler):
    compiler("exit 1")
    with CProgram((0, 0)) as program, pytest.raises(HostError, match="ended while it measured hot"):
        program.ns("hot", (0,), 20)


@pytest.mark.parametrize(("words", "complaint"), [("false", "cannot compile limits.c: no message"), ("/nosuch/cc", "No such file")])
def test_a_compiler_that_does_not_work_is_named_and_leaves_nothing(tmp_path, monkeypatch, words, complaint):
    monkeypatch.setenv("CC", words)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(HostError, match=f"{words}.*{complaint}"):
        CProgram((0, 0))
    assert list(tmp_path.iterdir()) == []


def test_no_compiler_is_said_so(monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(HostError, match="no C compiler"):
        CProgram((0, 0))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_the_real_program_answers():
    cpus = sorted(os.sched_getaffinity(0))
    with CProgram((cpus[0], cpus[-1])) as program:
        for name in WORKS:
            assert program.ns(name, (0,), 1_000) > 0, name
        assert program.ns("bulk", (0, 1), 1_000) > 0
