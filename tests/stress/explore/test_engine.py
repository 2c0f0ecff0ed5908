"""The engine: private accesses, deadlocks with their cycle, shrinking, failures as files."""

import io
import json
from itertools import pairwise

import pytest

from kernels.base import flavour
from kernels.base.cache import import_closure
from stress.errors import UserError
from stress.explore.state import FLUSH

pytestmark = pytest.mark.skipif(
    not flavour.EXPLORED or flavour.INTERPRETED, reason="runs in the explored flavour, which test_explored.py starts"
)


@pytest.fixture
def engine_of():
    from stress.explore.engine import Engine

    made = []

    def make(*arguments, **options):
        made.append(Engine(*arguments, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
def test_private_accesses_hide_no_final_state(engine_of, memory):
    from stress.explore import state
    from stress.explore.models import all_models

    found = []
    for privacy in (True, False):
        engine = engine_of(all_models()["refcount-cas"], memory, privacy=privacy)
        engine.begin("dpor", 1)
        engine.forget_states()
        engine.explore(0, 100_000)
        assert engine.stop == state.STOP_COMPLETE
        points, steps = int(engine.words[state.TOTAL_POINTS]), int(engine.words[state.TOTAL_STEPS])
        assert points < steps if privacy else points == steps
        found.append(set(engine.final_states()))
    assert found[0] == found[1]
    assert len(found[0]) == 4


def test_a_deadlock_is_told_with_its_cycle(engine_of):
    from stress.explore import state
    from tests.stress.explore.deadlock_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    engine.explore(0, 100_000)
    assert engine.stop == state.STOP_FAILURE
    found = engine.found()
    assert found.verdict == "deadlock"
    assert found.message.endswith("a cycle: cpu 0 -> cpu 1 -> cpu 2 -> cpu 0")
    assert found.message.count("held by cpu") == 3


def failing_walk(engine, preemptions, strategy="random"):
    """A random walk that fails and in which CPUs, and stores that leave their buffers, come between so often."""
    engine.begin(strategy, 3)
    number = 0
    while number < 50_000:
        number = engine.explore(number, 50_000 - number)
        flushes = sum(choice >= FLUSH for choice in engine.choices())
        if engine.found() is not None and engine.nr_preemptions() + flushes >= preemptions:
            return engine.choices(), engine.found()
    raise AssertionError("no such schedule")


@pytest.mark.parametrize("memory", ["sc", "tso"])
@pytest.mark.parametrize("name", ["ring", "zspage-destroy-linux"])
def test_a_failure_with_twenty_preemptions_shrinks_to_the_few_that_matter(engine_of, name, memory):
    from stress.explore.models import known_models
    from stress.explore.shrink import shrink
    from tests.stress.explore.deadlock_model import MODEL

    engine = engine_of(known_models().get(name, MODEL), memory)
    choices, found = failing_walk(engine, 20)
    before = engine.nr_run
    small = shrink(engine, choices, found)
    assert engine.nr_run - before < 300
    assert engine.replay(small).same_failure(found)
    assert engine.nr_preemptions() <= 2


@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_a_run_of_steps_that_is_only_early_is_put_where_it_belongs(engine_of, memory):
    from stress.explore.models import known_models
    from stress.explore.shrink import shrink

    engine = engine_of(known_models()["refcount-frozen-bit-cleared"], memory)
    choices, found = failing_walk(engine, 6, "pos")
    small = shrink(engine, choices, found)
    assert engine.replay(small).same_failure(found)
    assert engine.nr_preemptions() <= (0 if memory == "sc" else 1)  # findings.md, 5: no preemption is needed, one late adder suffices
    assert len({choice for choice in small if choice < FLUSH}) == 2


def test_preemptions_are_of_cpus_that_could_go_on(engine_of):
    from stress.explore.models import known_models

    for memory in ("sc", "tso"):
        engine = engine_of(known_models()["refcount-cas"], memory)
        for choices, preemptions in (([], 0), ([0, 1, 0], 2), ([0, 1] * 999, None), ([0, FLUSH] * 999, None)):
            assert engine.replay(choices) is None  # so that all CPUs have ended
            made = [choice for choice in engine.choices() if choice < FLUSH]
            back = sum(a != b and a in made[at + 1 :] for at, (a, b) in enumerate(pairwise(made)))
            assert engine.nr_preemptions() == back
            assert memory == "tso" or preemptions in (None, back)  # who waits until his buffer is empty gives way, too
        engine.close()
    broken = engine_of(known_models()["pagecache-split-linux"])
    choices, _ = failing_walk(broken, 0)
    assert broken.replay(choices) is not None
    assert broken.nr_preemptions() > 0  # one CPU is in the middle of a split, and never ends it


def test_an_access_out_of_bounds_is_named(engine_of, tmp_path):
    from stress.explore.failure import failure_of, load_failure, save_failure
    from stress.explore.shrink import shrink
    from stress.explore.story import describe
    from tests.stress.explore.bounds_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    engine.explore(0, 100)
    found = engine.found()
    nr_words = len(engine.mem.arrays["scratch"])
    assert describe(found) == f"out-of-bounds: cpu 1 asks for store_relaxed scratch[{nr_words}], and scratch has {nr_words}"
    failure = failure_of(engine, shrink(engine, engine.choices(), found), found, "random", 1, 0)
    assert failure.schedule == ()  # it is over before the first step
    save_failure(failure, tmp_path / "failure.json")
    with pytest.raises(UserError, match="there is no model 'bounds'"):  # but all else of the file is in order
        load_failure(tmp_path / "failure.json")


def test_a_model_that_returns_nothing_does_not_compile():
    import re

    from stress.explore.compiling import build_models
    from tests.stress.explore.bounds_model import FORGETFUL

    with pytest.raises(UserError, match=re.escape("model forgetful does not compile")) as caught:
        build_models([FORGETFUL], io.StringIO())
    assert "return an integer on every path" in str(caught.value)


@pytest.fixture
def options(tmp_path):
    """A second of random walks of one model, by one worker."""
    from stress.explore.command import Options

    return lambda model: Options((model,), ("random",), "sc", 1.0, None, 1, 1, None, tmp_path)


def test_a_worker_whose_model_never_begins_is_given_up(options, monkeypatch):
    from stress.explore import command as explore
    from tests.stress.explore.bounds_model import SPINNING

    monkeypatch.setattr(explore, "_SILENT_S", 1.0)
    with pytest.raises(explore.LostWorkerError, match="explores spinning has said nothing for 1 s: its preparation"):
        explore.execute(options(SPINNING), io.StringIO())


def test_a_worker_that_dies_between_two_blocks_is_missed(options):
    import os
    import signal

    from stress.explore import command as explore
    from tests.stress.explore.bounds_model import MODEL

    with explore.workers([MODEL], 1) as (worker,):
        os.kill(worker.pid, signal.SIGKILL)
        os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(explore.LostWorkerError, match="explore bounds was killed by SIGKILL"):
            explore.Search(MODEL, "random", options(MODEL), 1.0).start(worker)


def test_turns_of_a_loop_are_told_once():
    from stress.explore.story import Line, folded

    loop = [Line(k, k % 2, f"load {k % 2}", "a:1") for k in range(1, 13)]
    told = folded([Line(0, 0, "begin"), *loop, Line(13, 0, "end")])
    assert [line.text for line in told] == ["begin", "load 1", "load 0", "(5 more turns of the last 2 lines)", "end"]
    assert [line.number for line in told] == [0, 1, 2, 12, 13]
    few = [Line(0, 0, "begin"), *loop[:6]]
    assert folded(few) == few


def test_a_failure_is_refused_when_kernels_or_words_do_not_fit(engine_of, tmp_path):
    from stress.explore.engine import Found
    from stress.explore.failure import Failure, failure_of, kernels_hash, load_failure, save_failure
    from stress.explore.models import all_models

    engine = engine_of(all_models()["refcount-cas"])
    engine.begin("random", 1)
    engine.explore(0, 1)
    with pytest.raises(AssertionError, match="failed once and not again"):
        failure_of(engine, engine.choices(), Found("bug"), "random", 1, 0)
    path = tmp_path / "failure.json"
    good = Failure("refcount-cas", "sc", "random", 1, 0, kernels_hash(engine.model), Found("bug"), ((0, "load x"),))
    save_failure(good, path)
    assert load_failure(path) == good
    for change, said in (
        ({"kernels": "0123456789ab"}, "have changed since this failure was found"),
        ({"model": "no-such"}, "there is no model 'no-such'"),
        ({"schema": "pfnstorm-failure/0"}, "not a failure of this version"),
        ({"schedule": 3}, "not a failure file: schedule"),
        ({"schedule": [[0.5, "load x"]]}, r"not a failure file: schedule\.0\.0"),
        ({"memory": "arm"}, "not a failure file: memory"),
        ({"memory": []}, "not a failure file: memory"),
        ({"seed": -1}, "not a failure file: seed"),
        ({"found": None}, "not a failure file: found"),
        ({"strategy": "luck"}, "there is no strategy 'luck'"),
        ({"more": 1}, "not a failure file: more"),
    ):
        path.write_text(json.dumps(good.to_json() | change))
        with pytest.raises(UserError, match=said) as caught:
            load_failure(path)
        assert "\n" not in str(caught.value)
    for text in ("[" * 100_000, "[]", "", "{}"):
        path.write_text(text)
        with pytest.raises(UserError, match="not a failure"):
            load_failure(path)


def explore_variant(engine, variant, strategy, nr_schedules, nr_tasks=2):
    """Explore one variant of livelock_model, from the first schedule on."""
    engine.put_back()
    engine.mem.arrays["scratch"][0] = variant
    engine.set_tasks(nr_tasks)
    engine.begin(strategy, 1)
    engine.explore(0, nr_schedules)
    return engine.found()


@pytest.mark.parametrize(
    ("memory", "strategy"), [("sc", "random"), ("sc", "pct-3"), ("sc", "dpor"), ("tso", "random"), ("tso", "dfs"), ("pso", "pos")]
)
def test_a_livelock_is_told_with_its_loop_shrinks_and_replays(engine_of, memory, strategy):
    from stress.explore.shrink import shrink
    from tests.stress.explore.livelock_model import MODEL, NEVER_END, UNDO

    engine = engine_of(MODEL, memory)
    for variant in NEVER_END:
        found = explore_variant(engine, variant, strategy, 1)
        assert found.verdict == "livelock", variant
        assert "times back in" in found.message
        assert found.message.count("scratch") == 2
        choices = engine.choices()
        assert engine.replay(choices) == found
        if variant == UNDO:
            small = shrink(engine, choices, found)
            assert engine.replay([]).same_failure(found)  # no switch is needed before it is made fair
            most = engine.nr_preemptions()
            assert engine.replay(small).same_failure(found)
            assert engine.nr_preemptions() <= most


@pytest.mark.parametrize("memory", ["sc", "tso"])
@pytest.mark.parametrize("strategy", ["random", "pct-3", "dpor", "dfs", "preemption"])
def test_who_spins_until_another_goes_on_is_no_livelock(engine_of, memory, strategy):
    from stress.explore import state
    from tests.stress.explore.livelock_model import END, MODEL, POLL_ENDS

    engine = engine_of(MODEL, memory)
    for variant in END:
        assert explore_variant(engine, variant, strategy, 200) is None
    if strategy == "dfs":  # lets CPU 0 spin first
        assert explore_variant(engine, POLL_ENDS, strategy, 1) is None
        assert engine.words[state.CUT]
        assert engine.words[state.MOST_STEPS] > 1024


def test_a_search_that_cut_schedules_is_not_complete(engine_of):
    from stress.explore import state
    from tests.stress.explore.livelock_model import COUNT, MODEL

    engine = engine_of(MODEL, privacy=False)
    for strategy, complete in (("dfs", True), ("dpor", False)):  # the one schedule of one CPU is more than dpor can remember
        assert explore_variant(engine, COUNT, strategy, 1, nr_tasks=1) is None
        assert engine.stop == state.STOP_COMPLETE
        assert bool(engine.words[state.COMPLETE]) == complete
    found = explore_variant(engine, COUNT, "random", 1)
    assert found.verdict == "livelock"
    assert "no end after 5,000 steps" in found.message


def test_an_edit_of_a_strategy_compiles_the_scheduler_anew():
    files = {path.name for path in import_closure("stress.explore.scheduler")}
    assert {"scheduler.py", "dpor.py", "random_walk.py", "_tree.py", "livelock.py", "points.py"} <= files
