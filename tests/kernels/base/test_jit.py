"""The disk cache: a damaged entry is compiled again."""

import pytest

from kernels.base.cache import from_cache


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\x80\x05"])
def test_a_damaged_cache_is_emptied_once(tmp_path, damage):
    import pickle

    folder = tmp_path / "fast-1234"
    folder.mkdir()
    (folder / "a.nbi").write_bytes(damage)

    def compile_it():
        if (folder / "a.nbi").exists():
            return pickle.loads((folder / "a.nbi").read_bytes())
        return "compiled"

    assert from_cache(folder, compile_it) == "compiled"


def test_a_typing_error_is_raised_and_the_cache_stays(tmp_path):
    from numba.core.errors import TypingError

    def compile_it():
        raise TypingError("no")

    with pytest.raises(TypingError):
        from_cache(tmp_path, compile_it)
    assert tmp_path.exists()


def test_a_failure_that_repeats_is_raised(tmp_path):
    def compile_it():
        raise ValueError("always")

    with pytest.raises(ValueError, match="always"):
        from_cache(tmp_path / "none", compile_it)
    with pytest.raises(ValueError, match="always"):
        from_cache(tmp_path, compile_it)
