"""Choices, early loads and preemptions of a schedule."""

from itertools import pairwise

import pytest

from kernels.base import points
from stress.explore import state
from stress.explore.state import FLUSH, VERSION_SHIFT
from stress.explore.steps import Step, count_preemptions, early_loads
from tests.stress.explore.flavours import explored
from tests.stress.explore.test_shrink import failing_walk


def test_early_loads_are_numbered_by_the_accesses_of_their_task():
    older = 2 << VERSION_SHIFT
    assert early_loads([0, 1, 0, 1 | older, FLUSH, 1, 0 | 1 << VERSION_SHIFT]) == [(1, 1, 2), (0, 2, 1)]
    assert early_loads([0, 1, FLUSH + 1]) == []


def test_a_step_knows_what_was_chosen_and_whether_it_is_an_early_load():
    step = Step(3 | 1 << VERSION_SHIFT, 3, 0, 0, 0, 0, 0, 0, 8)
    assert (step.chosen, step.is_early) == (3, True)
    assert not Step(3, 3, 0, 0, 0, 0, 0, 0, 8).is_early


@pytest.mark.parametrize(
    ("choices", "running", "preemptions"),
    [
        ([], (), 0),
        ([0, 0, 1, 1], (), 0),
        ([0, 1, 0], (), 1),  # back to CPU 0 is none: CPU 1 has ended
        ([0, 1, 0, 1], (), 2),
        ([0, 1 | 2 << VERSION_SHIFT, 0], (), 1),
        ([0, FLUSH, 0, FLUSH + 1, 0], (), 0),  # flushes are no steps of a CPU
        ([0, FLUSH + 1, 1, FLUSH, 0], (), 1),
        ([0, 1], (0,), 1),  # the schedule failed before CPU 0 ended
        ([0, 1], (1,), 0),
        ([0, 1, 0, 1], (0, 1), 3),
    ],
)
def test_a_preemption_is_a_switch_from_a_cpu_that_could_continue(choices, running, preemptions):
    words = [0] * (state.CHOICES + state.MAX_STEPS)
    words[state.NR_STEPS], words[state.CHOICES : state.CHOICES + len(choices)] = len(choices), choices
    words[points.PHASE] = state.STEPS
    for cpu in range(2):
        words[state.STATUS + cpu] = state.RUNNING if cpu in running else state.WAITING
    assert count_preemptions(words) == preemptions
    if not running:  # after the check the status is that of the check
        words[points.PHASE], words[state.STATUS] = state.CHECK, state.RUNNING
        assert count_preemptions(words) == preemptions


@explored
def test_preemptions_are_of_cpus_that_could_continue(engine_of):
    from stress.explore.models import known_models

    for memory in ("sc", "tso"):
        engine = engine_of(known_models()["refcount-cas"], memory)
        for choices, preemptions in (([], 0), ([0, 1, 0], 2), ([0, 1] * 999, None), ([0, FLUSH] * 999, None)):
            assert engine.replay(choices) is None  # so that all CPUs have ended
            made = [choice for choice in engine.choices() if choice < FLUSH]
            back = sum(a != b and a in made[at + 1 :] for at, (a, b) in enumerate(pairwise(made)))
            assert engine.nr_preemptions() == back
            assert memory == "tso" or preemptions in (None, back)  # a CPU that waits until its buffer is empty lets others run, too
        engine.close()
    broken = engine_of(known_models()["pagecache-split-linux"])
    choices, _ = failing_walk(broken, 0)
    assert broken.replay(choices) is not None
    assert broken.nr_preemptions() > 0  # one CPU is in the middle of a split, and never ends it


@explored
def test_the_log_has_every_step_with_its_choice(engine_of):
    from tests.stress.explore.lost_update_model import MODEL

    engine = engine_of(MODEL, "tso")
    engine.replay([0, 0, FLUSH, 1, 1], logging=True)
    steps = engine.steps()
    assert [step.choice for step in steps] == engine.choices()
    assert [step.chosen for step in steps[:5]] == [0, 0, FLUSH, 1, 1]
    assert [step.cpu for step in steps[:5]] == [0, 0, 0, 1, 1]
    assert all(step.enabled >> step.chosen & 1 for step in steps)  # a replay chooses every step
    assert engine.task_of(FLUSH + 1) == 1
