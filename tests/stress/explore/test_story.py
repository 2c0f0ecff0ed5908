"""Stories: what a step did, loops shown once, and the columns of a whole failure."""

import pytest

from kernels.base import points
from kernels.base.atomics import ORDER_NUMBER
from stress.explore.state import FLUSH_OP, VERSION_SHIFT
from stress.explore.steps import Step
from stress.explore.story import StoryLine, folded, place_text, step_text
from tests.stress.explore.flavours import interpreted


def test_turns_of_a_loop_are_shown_once():
    loop = [StoryLine(k, k % 2, f"load {k % 2}", "a:1") for k in range(1, 13)]
    shown = folded([StoryLine(0, 0, "begin"), *loop, StoryLine(13, 0, "end")])
    assert [line.text for line in shown] == ["begin", "load 1", "load 0", "(the last 2 lines 5 more times)", "end"]
    assert [line.number for line in shown] == [0, 1, 2, 12, 13]
    few = [StoryLine(0, 0, "begin"), *loop[:6]]
    assert folded(few) == few
    same = [StoryLine(k, 0, "load", "a:1") for k in range(5)]
    assert [line.text for line in folded(same)] == ["load", "(4 more times)"]


def step(kind, first=0, second=0, result=0, before=0, order="relaxed", version=0):
    op = points.operation(kind, ORDER_NUMBER.get(order, 0), "scratch")
    return Step(version << VERSION_SHIFT, 0, op, points.field_address(0, "scratch", 3), first, second, result, before, 1)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (step(points.LOAD, result=7), "load_relaxed scratch[3] = 7"),
        (step(points.LOAD, result=7, before=9, version=1), "load_relaxed scratch[3] = 7 (old: memory has 9)"),
        (step(points.STORE, first=8, before=7, order="release"), "store_release scratch[3]: 7 → 8"),
        (step(points.CAS, first=7, second=8, result=7), "cas_relaxed scratch[3]: 7 → 8"),
        (step(points.CAS, first=7, second=8, result=9), "cas_relaxed scratch[3]: wanted 7, saw 9"),
        (step(points.FETCH_ADD, first=-2, result=7), "fetch_add_relaxed scratch[3]: 7 → 5"),
        (step(points.FETCH_OR, first=8, result=7), "fetch_or_relaxed scratch[3]: 7 → 15"),
        (step(points.FETCH_AND, first=3, result=6), "fetch_and_relaxed scratch[3]: 6 → 2"),
        (step(points.EXCHANGE, first=1 << 20, result=6), "exchange_relaxed scratch[3]: 6 → 0x100000"),
    ],
)
def test_a_step_shows_the_word_before_and_after(made, text):
    assert step_text(made) == text


def test_a_flush_and_a_fence():
    offset = points.field_address(0, "scratch", 3)
    assert step_text(Step(22, 0, FLUSH_OP, offset, 1, 0, 0, 0, 1)) == "flush scratch[3]: 0 → 1"
    assert step_text(Step(0, 0, points.FENCE | ORDER_NUMBER["seq_cst"] << points.ORDER_SHIFT, 0, 0, 0, 0, 0, 1)) == "fence_seq_cst"


def test_a_place_is_the_innermost_frame_and_the_kernel_outside_base():
    outer, inner = ("kernels/page/refcount.py", 40, "put"), ("kernels/base/lock.py", 12, "spin_lock")
    assert place_text((inner, outer, ("kernels/map/x.py", 1, "y"))) == "base/lock.py:12 spin_lock in page/refcount.py:40 put"
    assert place_text((outer,)) == "page/refcount.py:40 put"
    assert place_text(()) == ""


@pytest.fixture
def lost_update(monkeypatch):
    """The failure of one preemption of lost_update_model."""
    from stress.explore import failure, story
    from stress.explore.engine import Engine
    from tests.stress.explore.lost_update_model import MODEL

    for module in (failure, story):
        monkeypatch.setattr(module, "known_models", lambda: {MODEL.name: MODEL})
    engine = Engine(MODEL)
    try:
        choices = [0] * 7 + [1]
        return failure.failure_of(engine, choices, engine.replay(choices), "random", 1, 5)
    finally:
        engine.close()


@interpreted
def test_a_story_has_a_column_for_each_cpu_and_the_source_of_each_step(lost_update):
    from stress.explore.story import story

    lines = story(lost_update)
    assert lines[0].startswith("lost-update under sc: WORD_CHANGED")
    assert "found by random, seed 1, schedule 5" in lines[2]
    assert lines[-1] == f"then: {lost_update.found.describe()}"
    loads = [line for line in lines if "load_relaxed scratch[0] = 0" in line]
    assert len(loads) == 2
    assert all("lost_update_model.py" in line and line.endswith("steps") for line in loads)
    assert loads[1].index("load_relaxed") > loads[0].index("load_relaxed")  # in the column of cpu 1
    assert sum("›" in line for line in lines) == 3  # cpu 0, cpu 1, and cpu 0 again


@interpreted
def test_a_schedule_that_differs_from_its_file_is_refused(lost_update):
    from dataclasses import replace

    from stress.explore.story import DivergedError, story

    for change, message in (
        ({"schedule": lost_update.schedule[:-1]}, "the schedule ends after"),
        ({"schedule": ((0, "load nothing"), *lost_update.schedule[1:])}, "step 1 of the schedule is"),
        ({"found": replace(lost_update.found, seen=9)}, "the schedule ends with"),
    ):
        with pytest.raises(DivergedError, match=message):
            story(replace(lost_update, **change))
