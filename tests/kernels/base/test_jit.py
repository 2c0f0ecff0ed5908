"""The disk cache: a damaged entry is compiled again, and one that cannot be written is loaded from a copy."""

import os
import tempfile
from pathlib import Path

import pytest

from kernels.base.cache import from_cache


@pytest.fixture
def read_only(monkeypatch, tmp_path):
    """A folder in which no file can be made, as on a read-only file system; permissions do not stop root."""
    folder = tmp_path / "cache" / "fast-1234"
    folder.mkdir(parents=True)
    make_file = tempfile.TemporaryFile

    def refuse(*arguments, dir=None, **options):  # noqa: A002  # as tempfile has it
        if dir is not None and Path(dir).is_relative_to(tmp_path / "cache"):
            raise OSError(30, os.strerror(30), str(dir))
        return make_file(*arguments, dir=dir, **options)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_code_of_a_cache_that_cannot_be_written_is_loaded_from_a_copy_that_goes(read_only, tmp_path):
    (read_only / "package_1").mkdir()
    (read_only / "package_1" / "a.nbi").write_text("code")
    used = []

    def load(folder):
        used.append(folder)
        (folder / "package_1" / "new").touch()
        return (folder / "package_1" / "a.nbi").read_text()

    assert from_cache(read_only, load) == "code"
    assert used[0].is_relative_to(tmp_path)
    assert not used[0].exists()
    assert [each.name for each in tmp_path.iterdir()] == ["cache"]
    assert [each.name for each in read_only.rglob("*")] == ["package_1", "a.nbi"]


def test_a_cache_that_cannot_be_written_and_has_no_code_is_refused(read_only):
    with pytest.raises(OSError, match="Read-only file system"):
        from_cache(read_only, lambda folder: pytest.fail("compiled"))


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\x80\x05"])
def test_a_damaged_cache_is_emptied_once(tmp_path, damage):
    import pickle

    folder = tmp_path / "fast-1234"
    folder.mkdir()
    (folder / "a.nbi").write_bytes(damage)

    def compile_it(folder):
        if (folder / "a.nbi").exists():
            return pickle.loads((folder / "a.nbi").read_bytes())
        return "compiled"

    assert from_cache(folder, compile_it) == "compiled"


def test_a_typing_error_is_raised_and_the_cache_stays(tmp_path):
    from numba.core.errors import TypingError

    def compile_it(_folder):
        raise TypingError("no")

    with pytest.raises(TypingError):
        from_cache(tmp_path, compile_it)
    assert tmp_path.exists()


def test_a_failure_that_repeats_is_raised(tmp_path):
    def compile_it(_folder):
        raise ValueError("always")

    with pytest.raises(ValueError, match="always"):
        from_cache(tmp_path / "none", compile_it)
    with pytest.raises(ValueError, match="always"):
        from_cache(tmp_path, compile_it)
