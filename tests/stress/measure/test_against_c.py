"""The verdicts of `make limits`: costs and speed-ups against their bounds, and which slices they come from."""

import numpy as np
import pytest

from stress.measure.against_c import COSTS, PAIR_OF_PAIRS, judge_costs, judge_speed_ups, measure, requests, table

HOT, SCALING = "get + put, hot", "get + put, hot"


def rounds(changed=()):
    """Nine rounds in which both programs take 10 ns for everything, and two workers disturb neither, but for what is changed."""
    keys = [f"{prefix}{name} {workers}" for prefix in ("", "c ") for name, workers in requests()]
    return {key: np.full(9, 10.0) for key in keys} | {key: np.resize(values, 9) for key, values in dict(changed).items()}


def cost(name, taken):
    return next(each for each in judge_costs(taken) if each.name == name)


def scaling(taken):
    return next(each for each in judge_speed_ups(taken) if each.name == SCALING)


def test_as_fast_as_c_passes_everything():
    assert all(each.passed for each in judge_costs(rounds()) + judge_speed_ups(rounds()))
    assert {each.ratio for each in judge_costs(rounds())} == {1.0}
    assert {each.ratio for each in judge_speed_ups(rounds())} == {2.0}


@pytest.mark.parametrize("each", [each for each in COSTS if each.most is not None], ids=lambda each: each.name)
def test_a_cost_above_its_bound_fails_alone(each):
    key = f"{each.name} {each.workers}"
    below, above = (rounds({key: 10 * each.most + gap, "alloc 0": 5.0} | {}) for gap in (-0.01, 0.01))
    if each.name == "alloc":
        below, above = rounds({key: 12.4}), rounds({key: 12.6})
    assert [other.name for other in judge_costs(below) if not other.passed] == []
    assert [other.name for other in judge_costs(above) if not other.passed] == [each.what]


def test_the_upper_end_of_a_cost_s_interval_is_judged():
    mixed = rounds({"hot 0": [10.0, 10.0, 12.0]})
    found = cost(HOT, mixed)
    assert found.ratio == 1.0
    assert found.high == 1.2
    assert not found.passed


def test_a_frame_may_cost_two_references():
    what = "allocate + free, against our get + put"
    assert cost(what, rounds({"alloc 0": 10 * PAIR_OF_PAIRS - 0.1, "c alloc 0": 20.0})).passed
    assert not cost(what, rounds({"alloc 0": 10 * PAIR_OF_PAIRS + 0.1, "c alloc 0": 20.0})).passed


@pytest.mark.parametrize(("both", "passed"), [(10.5, True), (10.6, False)])
def test_two_workers_do_nearly_twice_as_much(both, passed):
    found = scaling(rounds({"hot 01": both}))
    assert found.passed is passed
    assert found.ours == pytest.approx(20 / both)
    assert found.theirs == 2.0


def test_the_lower_end_of_a_speed_up_s_interval_is_judged():
    found = scaling(rounds({"hot 01": [10.0, 10.0, 12.0]}))
    assert found.ratio == 2.0
    assert not found.passed


def test_processors_need_not_be_equally_fast():
    found = scaling(rounds({"hot 0": 5.0, "hot 1": 15.0}))
    assert found.ours == 2.0


def test_a_walk_in_the_cache_is_shown_and_has_no_bound():
    found = cost("walk of a list, first level of cache", rounds({"list_hot 0": 99.0}))
    assert (found.bound, found.passed, found.ratio) == ("-", True, 9.9)
    (line,) = [line for line in table("ns", "ratio", [found]).splitlines() if line.startswith("walk")]
    assert not line.endswith(("pass", "FAIL"))


def test_verdicts_and_table_state_the_coverage_of_their_rounds():
    verdicts = judge_costs(rounds())
    assert {each.coverage for each in verdicts} == {1 - 2 * 10 / 512}, "nine rounds, one left out at each end"
    assert "96.1 %" in table("ns", "ratio", verdicts).splitlines()[0]


def test_the_table_marks_what_failed():
    lines = table("ns", "ratio", judge_costs(rounds({"hot 0": 20.0}))).splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("get + put, hot")] == ["FAIL"]
    assert [line.split()[-1] for line in lines if line.startswith("allocate + free, per-CPU list")] == ["pass"]


class Program:
    """Answers with how often it was asked, and keeps every request."""

    def __init__(self, asked, name):
        self.asked, self.name = asked, name

    def ns(self, name, workers, slice_us):
        self.asked.append((self.name, name, workers, slice_us))
        return float(len(self.asked))


def test_a_path_and_its_twin_are_measured_one_after_the_other_in_turn():
    asked = []
    taken = measure(Program(asked, "ours"), Program(asked, "c"), 2, 20_000)
    assert {slice_us for *_, slice_us in asked} == {20_000}
    nr_requests = len(requests())
    assert len(asked) == 4 * nr_requests
    for first, second in zip(asked[::2], asked[1::2], strict=True):
        assert first[1:] == second[1:]
        assert {first[0], second[0]} == {"ours", "c"}
    assert [who for who, *_ in asked[: 2 * nr_requests : 2]] == ["c"] * nr_requests
    assert [who for who, *_ in asked[2 * nr_requests :: 2]] == ["ours"] * nr_requests
    assert all(len(values) == 2 for values in taken.values())
    assert set(taken) == set(rounds())


def test_two_workers_are_asked_together():
    asked = []
    measure(Program(asked, "ours"), Program(asked, "c"), 1, 1)
    assert ("ours", "contended", (0, 1), 1) in asked
    assert {workers for _, name, workers, _ in asked if name == "hot"} == {(0,), (1,), (0, 1)}
