"""Which mutants are chosen, and which nets are asked about them."""

import pytest

from stress.errors import UserError
from stress.explore.reach import reached_by
from stress.mutate.operators import mutants_of
from stress.mutate.plan import chosen_mutants, model_nets, storm_nets
from stress.mutate.woven import ROOT

MUTANTS, _ = mutants_of(ROOT)


def test_a_sample_follows_from_its_seed_and_names_alone():
    sample = chosen_mutants(MUTANTS, (), 20, 1)
    assert sample == chosen_mutants(MUTANTS[::-1], (), 20, 1)
    assert len(sample) == 20
    assert sample != chosen_mutants(MUTANTS, (), 20, 2)


def test_a_pattern_or_a_whole_name_chooses():
    of_a_file = chosen_mutants(MUTANTS, ("page/refcount.py:ref_freeze:*",), None, 1)
    assert {each.function for each in of_a_file} == {"ref_freeze"}
    with_brackets = next(each for each in MUTANTS if "[" in each.name)  # which a pattern would read as a set of letters
    assert chosen_mutants(MUTANTS, (with_brackets.name,), None, 1) == [with_brackets]
    with pytest.raises(UserError, match="no mutant matches 'nosuch'"):
        chosen_mutants(MUTANTS, ("nosuch",), None, 1)


def test_a_model_reaches_what_it_calls_and_not_the_rest():
    reached = reached_by("pcp-isolation")
    assert ("kernels/alloc/isolation.py", "isolate_pageblock") in reached
    assert ("kernels/base/lock.py", "spin_trylock") in reached  # through others
    assert ("kernels/map/pagecache.py", "filemap_get_entry") not in reached
    assert ("kernels/map/pagecache.py", "filemap_get_entry") in reached_by("pagecache-removal")


def test_the_smallest_closure_of_calls_is_asked_first():
    names = ("two-scanners", "refcount-cas", "pcp-isolation")
    sizes = [len(reached_by(net.words[1])) for net in model_nets(MUTANTS, 1, names)]
    assert sizes == sorted(sizes)
    assert len(sizes) == len(names)


def test_one_storm_is_only_for_mutants_that_no_model_reaches():
    models = model_nets(MUTANTS, 1, ("pcp-isolation",))
    whole, far = storm_nets(MUTANTS, models)[0], storm_nets(MUTANTS, models)[-1]
    assert set(far.mutants) < set(whole.mutants)
    assert not set(far.mutants) & set(models[0].mutants)


@pytest.mark.parametrize(("machine", "some"), [("x86_64", False), ("aarch64", True)])
def test_on_x86_storms_are_not_asked_about_orderings_but_for_fences(monkeypatch, machine, some):
    monkeypatch.setattr("platform.machine", lambda: machine)
    asked = {each for net in storm_nets(MUTANTS, ()) for each in net.mutants if each.kind == "order"}
    assert {"fence" in each.text for each in asked} == ({True, False} if some else {True})


def test_models_are_asked_briefly_for_a_part_of_their_schedules():
    (brief,), (whole,) = (model_nets(MUTANTS, 1, ("pcp-isolation",), brief=each) for each in (True, False))
    assert brief.mutants == whole.mutants
    assert 0 < float(brief.words[-1]) < float(whole.words[-1])
