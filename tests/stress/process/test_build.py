"""The build of entries: what it shows, one process at a time, every flavour. Nothing is compiled here."""

import fcntl
import io
import sys
import threading
import time

import pytest
from numba.core import event

from kernels.base import jit
from kernels.base.flavour import FLAVOUR
from stress.errors import HostError
from stress.process import build, itself


class Terminal(io.StringIO):
    def isatty(self):
        return True


class FakeEntry:
    """An entry whose build compiles so many kernels, as numba reports it."""

    def __init__(self, name, folder, nr_kernels=0, error=None):
        self.name, self.built = name, 0
        self._folder, self._nr_kernels, self._error = folder, nr_kernels, error

    def cache_folder(self):
        return self._folder

    def build(self):
        if self._error is not None:
            raise self._error
        for _ in range(self._nr_kernels):
            with event.trigger_event("numba:compile"):
                pass
        self.built += 1


@pytest.fixture
def entries(monkeypatch, tmp_path):
    """A function that declares entries in place of all others."""

    def declare(*made):
        monkeypatch.setattr(jit, "ENTRIES", {entry.name: entry for entry in made})
        monkeypatch.setattr(jit, "KERNELS", dict.fromkeys("abc"))
        return made

    return declare


def test_what_is_compiled_is_shown_in_plain_lines_without_a_terminal(entries, tmp_path):
    entries(FakeEntry("m.one", tmp_path / "1", nr_kernels=3), FakeEntry("m.two", tmp_path / "2"))
    out = io.StringIO()
    seconds = build.build_entries(out=out)
    assert out.getvalue().splitlines() == [
        f"[1/2] m.one ({FLAVOUR}): compiling, once, 0 s",
        f"[1/2] m.one ({FLAVOUR}): 3 kernels in 0.0 s",
    ]
    assert 0 < seconds < 10


def test_what_is_compiled_is_one_line_on_a_terminal(entries, tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    entries(FakeEntry("m.one", tmp_path, nr_kernels=3))
    out = Terminal()
    build.build_entries(out=out)
    drawn = f"\r\x1b[K[1/1] m.one ({FLAVOUR}): "
    assert out.getvalue() == f"{drawn}compiling, once, 0 s{drawn}3 kernels in 0.0 s\n"


def test_only_the_entries_that_are_named_are_built(entries, tmp_path):
    one, two, other = entries(FakeEntry("m.one", tmp_path), FakeEntry("m.two", tmp_path), FakeEntry("m.deep.three", tmp_path))
    assert build.entries_of(("m", "other")) == ["m.one", "m.two"]
    build.build_entries(build.entries_of(("m",)), io.StringIO())
    assert (one.built, two.built, other.built) == (1, 1, 0)


def test_a_cache_that_cannot_be_written_is_one_line(entries, tmp_path):
    (tmp_path / "file").write_text("")
    for entry in (FakeEntry("m.one", tmp_path / "file" / "x"), FakeEntry("m.one", tmp_path, error=OSError(28, "No space left on device"))):
        entries(entry)
        with pytest.raises(HostError, match=r"cannot write compiled kernels to .*; set PFNSTORM_CACHE_DIR") as caught:
            build.build_entries(out=io.StringIO())
        assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_used_without_a_lock_if_it_has_the_code(entries, tmp_path, monkeypatch):
    def refuse(folder):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("kernels.base.cache.require_writable", refuse)
    (entry,) = entries(FakeEntry("m.one", tmp_path))
    with pytest.raises(HostError, match=r"cannot write compiled kernels to .*: Read-only file system; set PFNSTORM_CACHE_DIR"):
        build.build_entries(out=io.StringIO())
    (tmp_path / "m.one.nbi").touch()
    build.build_entries(out=io.StringIO())
    assert entry.built == 1
    assert [path.name for path in tmp_path.iterdir()] == ["m.one.nbi"]


def test_a_second_build_of_the_same_entry_waits_for_the_first(entries, tmp_path):
    (entry,) = entries(FakeEntry("m.one", tmp_path))
    out = io.StringIO()
    with (tmp_path / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=build.build_entries, kwargs={"out": out})
        second.start()
        end = time.monotonic() + 10
        while "waiting" not in out.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
        assert entry.built == 0
    second.join(10)
    assert entry.built == 1
    assert out.getvalue() == "waiting for another build of the kernels ...\n"


def test_every_module_of_the_packages_is_imported(tmp_path, monkeypatch):
    deep = tmp_path / "pack_of_entries" / "deep"
    deep.mkdir(parents=True)
    for folder in (deep.parent, deep):
        (folder / "__init__.py").touch()
    (deep / "leaf.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    build.import_all_entries(["pack_of_entries"])
    assert "pack_of_entries.deep.leaf" in sys.modules
    for name in [name for name in sys.modules if name.startswith("pack_of_entries")]:
        del sys.modules[name]


@pytest.mark.slow
def test_flavours_are_built_each_in_its_own_process_and_a_failure_is_returned(tmp_path, monkeypatch):
    code = (
        "import os, pathlib, sys\nname = os.environ['PFNSTORM_FLAVOUR']\n"
        f"pathlib.Path({str(tmp_path)!r}, name).write_text(os.environ['PFNSTORM_BUILD_CHILD'])\nsys.exit(4 if name == 'b' else 0)"
    )
    monkeypatch.setattr(itself, "command", lambda *words: [sys.executable, "-c", code])
    assert build.build_flavours(["a", "b", "c"]) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
    assert build.build_flavours(["a"]) == 0
