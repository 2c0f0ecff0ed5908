"""RMO: what loads may return, what they may not, and how a failure that hangs on one is replayed, shrunk and told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stress.explore.flavours import explored

pytestmark = explored

ROOT = Path(__file__).resolve().parents[3]
NR_SCHEDULES = 4000
TELL = """
import pathlib, sys
from stress.explore import failure, story
from tests.stress.explore.rmo_model import MODEL
failure.known_models = story.known_models = lambda: {MODEL.name: MODEL}
print(*story.story(failure.load_failure(pathlib.Path(sys.argv[1]))), sep="\\n")
"""


@pytest.fixture
def engine_of():
    from stress.explore.engine import Engine
    from tests.stress.explore.rmo_model import MODEL

    made = []

    def make(memory, variant):
        made.append(Engine(MODEL, memory, races=False))
        made[-1].put_back()
        made[-1].mem.arrays["scratch"][0] = tuple(variants()).index(variant)
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def variants():
    from tests.stress.explore.rmo_model import VARIANTS

    return VARIANTS


def outrun(engine, variant):
    """How many schedules end with each reader having seen the new value of one word and then the old one of the other."""
    readers = (2, 3) if variant.startswith("four") else (1,)
    engine.begin("pos", 1)
    found = 0
    for number in range(NR_SCHEDULES):
        engine.explore(number, 1)
        assert engine.verdict in ("clean", "bug")
        found += engine.verdict == "bug" or all(engine.results()[cpu] == 10 for cpu in readers)
    return found


@pytest.mark.parametrize("memory", ["pso", "rmo"])
@pytest.mark.parametrize("variant", variants())
def test_a_load_is_early_where_nothing_orders_it(engine_of, memory, variant):
    assert (outrun(engine_of(memory, variant), variant) > 0) == (memory == "rmo" and variants()[variant])


@pytest.mark.parametrize("strategy", ["pos", "pct-3", "surw", "urw"])
def test_every_sampler_draws_early_loads(engine_of, strategy):
    engine = engine_of("rmo", "asserted")
    engine.begin(strategy, 1)
    engine.explore(0, 20_000)
    assert engine.verdict == "bug"


def test_what_orders_plain_accesses_orders_them_with_early_loads_too():
    from stress.explore.engine import Engine
    from tests.stress.explore.race_model import MODEL, VARIANTS

    engine = Engine(MODEL, "rmo")
    try:
        for number, races in enumerate(VARIANTS.values()):
            engine.put_back()
            engine.mem.arrays["scratch"][0] = number
            engine.begin("pos", 1)
            engine.explore(0, NR_SCHEDULES)
            assert (engine.found() is not None) == races
    finally:
        engine.close()


def failing(engine, nr_early):
    """The choices of a failing schedule with so many early loads."""
    from stress.explore.state import CHOSEN_MASK

    engine.begin("random", 1)
    number = 0
    while number < 100_000:
        number = engine.explore(number, 100_000 - number)
        choices = engine.choices()
        if engine.found() is not None and sum(choice > CHOSEN_MASK for choice in choices) >= nr_early:
            return choices
    raise AssertionError("no such schedule")


def test_a_failure_replays_shrinks_to_the_early_load_that_matters_and_is_told(engine_of, tmp_path):
    from stress.explore.failure import failure_of, save_failure
    from stress.explore.shrink import shrink
    from stress.explore.state import CHOSEN_MASK

    engine = engine_of("rmo", "asserted")
    choices = failing(engine, 2)
    found = engine.found()
    assert engine.replay(choices) == found
    assert engine.choices() == choices
    small = shrink(engine, choices, found)
    assert sum(choice > CHOSEN_MASK for choice in small) == 1
    assert engine.replay([choice & CHOSEN_MASK for choice in small]) is None
    save_failure(failure_of(engine, small, found, "random", 1, 0), tmp_path / "failure.json")
    words = (sys.executable, "-c", TELL, str(tmp_path / "failure.json"))
    interpreted = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=ROOT, env=interpreted, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("memory has") == done.stdout.count("load_relaxed contents[0] = 0 (old: memory has 1)") == 1


def test_exhaustive_strategies_are_refused(engine_of):
    from stress.errors import UserError
    from stress.explore.arguments import chosen_strategies

    assert chosen_strategies(None, "rmo") == ("random", "surw", "pos", "pct-3", "urw", "pct-10", "pct-2")
    with pytest.raises(UserError, match="--strategy dpor is exhaustive, and --memory rmo is for samplers: choose among pct-2"):
        chosen_strategies(["pos", "dpor"], "rmo")
    with pytest.raises(ValueError, match="is for samplers"):
        engine_of("rmo", "relaxed").begin("dfs", 1)
