"""The woven copy: whole, in Python, chosen by one word; and what its results depend on."""

import pytest

from stress.errors import HostError
from stress.mutate import woven
from stress.mutate.alive import ALIVE, NUMBER, REACHED, WORD
from stress.mutate.operators import mutants_of
from stress.mutate.woven import MAKERS, ROOT, add_word, copy_project, make_woven, model_key, source_key


@pytest.fixture
def sources(tmp_path):
    """A project of empty files, as far as keys look at it."""
    for name in ("kernels/base", "stress/explore/models/family", "stress/roles", "stress/mutate"):
        (tmp_path / name).mkdir(parents=True)
    for name in MAKERS:
        (tmp_path / f"stress/mutate/{name}.py").write_text("")
    for name in ("family/a_b", "family/c", "family/_shared", "_shared"):
        (tmp_path / f"stress/explore/models/{name}.py").write_text("")
    (tmp_path / "kernels/base/a.py").write_text("x = 1\n")
    return tmp_path


def test_a_copy_is_woven_whole(tmp_path):
    assert make_woven(tmp_path / "woven") == mutants_of(ROOT)[0]
    for path in (tmp_path / "woven" / "kernels").rglob("*.py"):
        compile(path.read_text(), str(path), "exec")


def test_the_copy_selects_a_mutant_by_a_word_of_its_machine(tmp_path):
    copy_project(tmp_path / "copy")
    add_word(tmp_path / "copy")
    layout = (tmp_path / "copy/kernels/base/layout.py").read_text()
    assert f'    "{WORD}",\n' in layout
    assert f'"{REACHED}"' in layout
    assert NUMBER in (tmp_path / "copy/stress/machine/segment.py").read_text()
    assert f"def {ALIVE}(mem, number)" in (tmp_path / f"copy/kernels/base/{ALIVE}.py").read_text()


def test_sources_that_have_changed_are_named(tmp_path, monkeypatch):
    copy_project(tmp_path / "copy")
    monkeypatch.setattr(woven, "_EDITS", (("kernels/base/points.py", "a line that is not there", "x"),))
    with pytest.raises(HostError, match=r"kernels/base/points\.py no longer has 'a line that is not there' once"):
        add_word(tmp_path / "copy")


@pytest.mark.parametrize(
    "edited", ["kernels/base/a.py", "stress/explore/model.py", "stress/roles/anon.py", *(f"stress/mutate/{name}.py" for name in MAKERS)]
)
def test_results_belong_to_the_kernels_and_what_judges_them(sources, edited):
    before = source_key(sources)
    (sources / edited).write_text("y = 1\n")
    assert source_key(sources) != before


def test_every_module_that_runs_in_a_net_is_part_of_the_key():
    assert set(MAKERS) <= {path.stem for path in (ROOT / "stress" / "mutate").glob("*.py")}
    assert {"explore_net", "storm_net", "attempt"} <= set(MAKERS)


def test_a_models_results_belong_to_the_model(sources):
    all_of_them, first, second = source_key(sources), model_key("a-b", sources), model_key("c", sources)
    (sources / "stress/explore/models/family/a_b.py").write_text("x = 1\n")
    assert (source_key(sources), model_key("c", sources)) == (all_of_them, second)
    assert model_key("a-b", sources) != first
    for name in ("family/_shared", "_shared"):
        before = model_key("c", sources)
        (sources / f"stress/explore/models/{name}.py").write_text("x = 1\n")
        assert model_key("c", sources) != before
