"""The results file: it survives an interrupted run, and belongs to the sources."""

from contextlib import closing
from dataclasses import replace

import pytest

from stress.errors import HostError, UserError
from stress.mutate.operators import Mutant
from stress.mutate.results import KILLED, SURVIVED, UNREACHED, UNTRIED, Results, Trial

FIRST, SECOND = (Mutant(number, "kernels/a.py", "f", "order", text) for number, text in ((1, "x"), (2, "y")))


def trial(mutant, net, found=None, sources=""):
    return Trial(mutant.name, net, found, "sc random" if found else "", 3 if found else 0, 0.1, sources)


def test_results_survive_an_interrupted_run(tmp_path):
    path = tmp_path / "mutants" / "1234.jsonl"
    results = Results(path)
    results.add(trial(FIRST, "explore a"))
    results.add(trial(FIRST, "storm zoo", "bug:SHADOW"))
    results.add(trial(SECOND, "explore a"))
    results.close()
    path.write_text(path.read_text() + '{"mutant": "half a li')
    again = Results(path)
    assert again.verdict(FIRST, ["explore a", "storm zoo"]) == KILLED
    assert again.killer(FIRST).net == "storm zoo"
    assert again.verdict(SECOND, ["explore a"]) == SURVIVED
    assert again.verdict(SECOND, ["explore a", "storm zoo"]) == UNTRIED
    again.add(trial(SECOND, "storm zoo"))
    again.close()
    with closing(Results(path)) as last:
        assert last.verdict(SECOND, ["explore a", "storm zoo"]) == SURVIVED
        assert last.verdict(SECOND, []) == UNREACHED


def test_an_answer_is_on_disk_before_the_next_one(tmp_path):
    path = tmp_path / "a.jsonl"
    with closing(Results(path)) as results:
        results.add(trial(FIRST, "explore a"))
        assert path.read_text().endswith("\n")
        assert FIRST.name in path.read_text()


def test_another_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "a.jsonl").write_text("[1, 2]\n")
    with pytest.raises(UserError, match=r"a\.jsonl:1: not a result") as caught:
        Results(tmp_path / "a.jsonl")
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="PFNSTORM_RESULTS_DIR"):
        Results(tmp_path / "file" / "a.jsonl")


def test_results_of_other_sources_do_not_count(tmp_path):
    path, said = tmp_path / "a.jsonl", trial(FIRST, "explore a", "race")
    with closing(Results(path, {"explore a": "old"})) as results:
        results.add(replace(said, sources="old"))
        assert results.killer(FIRST)
    with closing(Results(path, {"explore a": "new"})) as results:
        assert results.killer(FIRST) is None
    with closing(Results(path, {"explore a": "old"})) as results:
        assert results.killer(FIRST)
