"""Compiling models: what is in the cache, how much work the rest is, and a model that does not compile."""

import pytest

from stress.errors import UserError
from tests.stress.explore.flavours import explored

pytestmark = explored


@pytest.fixture
def models():
    from stress.explore.models import all_models

    return [all_models()[name] for name in ("refcount-cas", "pagecache-split", "gup-migration")]


@pytest.fixture
def no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PFNSTORM_CACHE_DIR", str(tmp_path))


def test_work_is_for_what_is_not_in_the_cache(models, no_cache):
    from kernels.base.cache import cache_folder
    from stress.explore.compiling import compile_work

    work = compile_work(models, 1)
    assert work.scheduler > 0
    assert list(work.models) == [model.name for model in models]
    folder = cache_folder(models[1].module)
    folder.mkdir(parents=True)
    assert compile_work(models, 1) == work  # an interrupted build
    (folder / "code.1.nbi").touch()
    assert set(compile_work(models, 1).models) == {models[0].name, models[2].name}


def test_kernels_that_a_process_has_met_are_less_work(models, no_cache):
    from stress.explore.compiling import compile_work

    first, *_ = compile_work(models, 1).models.values()
    twice = compile_work([models[0], models[0].__class__(**vars(models[0]) | {"name": "again"})], 1).models
    assert twice["again"] < twice["refcount-cas"] / 4
    assert twice["refcount-cas"] == first
    apart = compile_work([models[0], models[0].__class__(**vars(models[0]) | {"name": "again"})], 2).models
    assert apart["again"] == apart["refcount-cas"]  # by another process


def test_a_model_that_does_not_compile_ends_the_command_after_its_verdict(tmp_path, capsys):
    import io

    from stress.explore.command import ExploreOptions, execute
    from tests.stress.explore.bounds_model import FORGETFUL, MODEL

    options = ExploreOptions((MODEL, FORGETFUL), ("random",), "sc", 5.0, None, 1, 1, None, tmp_path)
    with pytest.raises(UserError, match="model forgetful does not compile"):
        execute(options, io.StringIO())
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("bounds: violated: out-of-bounds")
    assert out[-1].startswith("verdict: interrupted: model forgetful does not compile")
