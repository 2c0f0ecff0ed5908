"""Dealing out to workers in simulated time: who explores what, how long the command takes, and that neither changes a result."""

import io
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from stress.explore import dealing as module
from stress.explore.budget import GUESSED_UNIT_S, Budget
from stress.explore.compiling import CompileWork
from stress.explore.dealing import Dealer, SearchLine, search_all
from stress.explore.diagnosis import Found
from stress.explore.failure import Failure
from stress.explore.search import ModelSearches, Search, SearchPlan
from stress.explore.session import StrategyTally
from stress.explore.workers import LostWorkerError, ModelCompiled

STRATEGIES = ("dpor", "random", "pos", "surw")
RATE = 20_000.0  # schedules a second
ENGINE_S, BLOCK_S = 0.08, 0.006  # what a worker needs for another model, and for each block


@dataclass
class World:
    """Simulated time, and what workers send in it."""

    compile_s: dict = field(default_factory=dict)  # of models that are not in the cache
    failing: dict = field(default_factory=dict)  # (model, strategy) -> number of the schedule that fails
    now: float = 50.0
    compilers: list = field(default_factory=list)  # (model, worker) in order
    blocks: list = field(default_factory=list)  # (when, worker, block) in order

    def wait(self, pipes, _timeout):
        """The worker that sends something first; the time is then."""
        first = min((pipe for pipe in pipes if pipe.outbox), key=lambda pipe: pipe.outbox[0][0], default=None)
        if first is None:
            return []
        self.now = max(self.now, first.outbox[0][0])
        return [first]


class SimulatedWorker:
    """Compiles if it must, and runs every block at RATE."""

    is_stopped, pid = False, 4711

    def __init__(self, world):
        self.world, self.model, self.outbox = world, None, []
        self.pipe = self
        self.active_at = world.now

    def start(self, block):
        world = self.world
        world.blocks.append((world.now, self, block))
        at = world.now
        if block.model != self.model:
            self.model = block.model
            seconds = world.compile_s.pop(block.model, 0.0)
            if seconds:
                world.compilers.append((block.model, self))
            at += seconds
            self.outbox.append((at, ModelCompiled(seconds)))
            at += ENGINE_S
        most = block.nr_schedules if block.seconds is None else min(block.nr_schedules, max(256, int(block.seconds * RATE)))
        fails = world.failing.get((block.model, block.strategy), -1)
        failure = None
        if block.first <= fails < block.first + most:
            failure = Failure(block.model, "sc", block.strategy, 1, fails, "", Found("bug"), ())
            most = fails - block.first + 1
        seconds = most / RATE
        self.outbox.append((at + BLOCK_S + seconds, StrategyTally(block.strategy, most, seconds=seconds, failure=failure)))

    def receive(self, _model):
        self.active_at, sent = self.outbox.pop(0)
        return sent


@pytest.fixture
def explore(monkeypatch):
    """Explore models in simulated time; the world, the verdicts, what was announced, and how long it took."""

    def run(names, *, jobs=2, seconds=None, schedules=None, compile_s=None, guessed_s=None, failing=None):
        world = World(dict(compile_s or {}), failing or {})
        monkeypatch.setattr(module, "wait", world.wait)
        out, start = io.StringIO(), world.now
        guessed = compile_s if guessed_s is None else guessed_s
        work = CompileWork(0.0, {name: each / GUESSED_UNIT_S for name, each in (guessed or {}).items()})
        budget = Budget(seconds, jobs, work, out, lambda: world.now)
        budget.announce()
        models = [SimpleNamespace(name=name, meetings=()) for name in names]
        made = [SimulatedWorker(world) for _ in range(jobs)]
        verdicts = list(search_all(models, STRATEGIES, SearchPlan("sc", 1, schedules), made, budget, SearchLine(io.StringIO())))
        return SimpleNamespace(world=world, verdicts=verdicts, said=out.getvalue(), took=world.now - start, budget=budget)

    return run


MANY = [f"model-{number:02}" for number in range(60)]


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_a_warm_command_takes_its_seconds_and_every_search_its_share(explore, jobs):
    done = explore(MANY, jobs=jobs, seconds=40.0)
    assert 36 <= done.took <= 42
    assert all(len(verdict.tallies) == len(STRATEGIES) for verdict in done.verdicts)
    runs = [verdict.nr_run for verdict in done.verdicts]
    assert min(runs) > 0.5 * max(runs)


def test_seconds_that_are_too_few_hold_and_what_was_not_reached_is_known(explore):
    done = explore(MANY, seconds=1.0)
    assert done.took <= 1.2
    first, last = done.verdicts[0], done.verdicts[-1]
    assert (first.ending, last.ending) == ("clean", "not reached")
    assert {len(verdict.tallies) for verdict in done.verdicts} == {0, len(STRATEGIES)}
    assert [verdict.model.name for verdict in done.verdicts] == MANY


def test_the_first_model_is_explored_however_little_time_there_is(explore):
    done = explore(MANY[:2], jobs=1, seconds=-1.0)
    assert [len(verdict.tallies) for verdict in done.verdicts] == [len(STRATEGIES), 0]


@pytest.mark.parametrize("actual", [0.7, 1.0, 1.3, 3.0])
def test_a_cold_command_takes_as_long_as_was_announced_last(explore, actual):
    compile_s = {name: actual * (2.0 + number % 3) for number, name in enumerate(MANY)}
    done = explore(MANY, seconds=40.0, compile_s=compile_s, guessed_s=dict.fromkeys(MANY, 3.0))
    announced = [int(line.split(" s in all")[0].split()[-1]) for line in done.said.splitlines()]
    assert announced[0] == 130
    assert abs(done.took - announced[-1]) <= 0.05 * announced[-1]
    assert done.took - sum(compile_s.values()) / 2 >= 20  # the time for exploring
    assert all(len(verdict.tallies) == len(STRATEGIES) for verdict in done.verdicts)
    assert len(announced) == 1 if actual <= 1 else announced[-1] > 130


def test_models_that_are_ready_are_explored_while_one_compiles_once(explore):
    done = explore(["slow", *MANY[:2]], jobs=3, seconds=30.0, compile_s={"slow": 9.0})
    assert len(done.world.compilers) == 1
    compiled_at = done.world.blocks[0][0] + 9.0
    meanwhile = [block.model for at, _, block in done.world.blocks if at < compiled_at]
    assert meanwhile.count("slow") == 1
    assert set(meanwhile) >= {"slow", *MANY[:2]}
    others = {id(worker) for at, worker, block in done.world.blocks if at >= compiled_at and block.model == "slow"}
    assert len(others) > 1  # they help when nothing else is left


def test_no_second_worker_compiles_a_model(explore):
    done = explore(["slow", MANY[0]], jobs=3, seconds=30.0, compile_s={"slow": 9.0})
    began = done.world.blocks[0][0]
    assert [block.model for at, _, block in done.world.blocks if at < began + 9.0].count("slow") == 1


def test_compiling_is_not_taken_for_exploring_beyond_a_share(explore):
    done = explore(["slow", *MANY[:5]], jobs=1, seconds=30.0, compile_s={"slow": 20.0})
    runs = [verdict.nr_run for verdict in done.verdicts]
    assert min(runs) > 0.5 * max(runs)


def test_workers_that_are_free_together_do_not_swap_models():
    groups = [ModelSearches(SimpleNamespace(name=name), STRATEGIES, SearchPlan("sc", 1, None)) for name in ("one", "two")]
    first, second = (SimulatedWorker(World()) for _ in range(2))
    budget = Budget(60.0, 2, CompileWork(0.0, {}), io.StringIO())
    dealer = Dealer(groups, [first, second], budget, SearchLine(io.StringIO()))
    dealer._last = {first: groups[1].model, second: groups[0].model}
    assert (dealer._next_search(first).model.name, dealer._next_search(second).model.name) == ("two", "one")


def test_a_worker_stays_with_its_model(explore):
    done = explore(MANY, seconds=40.0)
    changes = sum(isinstance(each, str) for each in _changes(done.world.blocks))
    assert changes <= len(MANY) + 2


def _changes(blocks):
    last = {}
    for _, worker, block in blocks:
        yield block.model if last.get(worker) != block.model else None
        last[worker] = block.model


def test_a_number_of_schedules_gives_the_same_for_any_number_of_jobs_and_any_time_to_compile(explore):
    names = MANY[:4]
    failing = {(names[1], "pos"): 5000, (names[2], "dpor"): 7}
    found = []
    for jobs in (1, 2, 5):
        for compile_s in ({}, {names[0]: 3.0, names[2]: 0.5}):
            done = explore(names, jobs=jobs, schedules=9000, compile_s=compile_s, failing=failing)
            found.append([[(each.strategy, each.nr_run, each.failure) for each in verdict.tallies] for verdict in done.verdicts])
    assert all(each == found[0] for each in found)
    assert [[run for _, run, _ in tallies] for tallies in found[0]] == [[9000] * 4, [9000, 9000, 5001], [8], [9000] * 4]


def dealer_of(worker, model, *, uncompiled=()):
    budget = Budget(None, 1, CompileWork(0.0, dict.fromkeys(uncompiled, 1.0)), io.StringIO(), lambda: 1000.0)
    dealer = Dealer([], [worker], budget, SearchLine(io.StringIO()))
    dealer._busy[worker] = Search(model, "random", SearchPlan("sc", 3, 1))
    return dealer


@pytest.mark.parametrize(
    ("stopped", "silent_s", "uncompiled", "suspended", "message"),
    [
        (True, 0, (), False, "process 4711, was stopped by a signal"),
        (True, 0, ("m",), False, "process 4711, was stopped by a signal"),
        (False, module._SILENT_S + 1, (), False, "has sent nothing for"),
        (False, module._SILENT_S + 1, (), True, None),
        (False, module._SILENT_S + 1, ("m",), False, None),  # it compiles
        (False, module._SILENT_S - 1, (), False, None),
    ],
)
def test_a_worker_is_lost_if_it_was_stopped_or_is_silent(stopped, silent_s, uncompiled, suspended, message):
    worker = SimulatedWorker(World(now=1000.0 - silent_s))
    worker.is_stopped = stopped
    dealer = dealer_of(worker, SimpleNamespace(name="m"), uncompiled=uncompiled)
    if message is None:
        dealer._find_lost(1000.0, suspended=suspended)
    else:
        with pytest.raises(LostWorkerError, match=message):
            dealer._find_lost(1000.0, suspended=suspended)


@pytest.mark.parametrize("error", [KeyboardInterrupt, LostWorkerError])
def test_verdicts_until_an_interrupt_are_reported_before_it(monkeypatch, error):
    def turn(self):
        if self._searches[0].begun:
            raise error
        self._searches[0].start(worker)
        self._searches[0].take(worker, worker.outbox[-1][1])

    monkeypatch.setattr(Dealer, "turn", turn)
    models = [SimpleNamespace(name=name, meetings=()) for name in ("one", "two")]
    worker = SimulatedWorker(World())
    budget = Budget(None, 1, CompileWork(0.0, {}), io.StringIO())
    verdicts = search_all(models, ["random"], SearchPlan("sc", 1, 9000), [worker], budget, SearchLine(io.StringIO()))
    verdict = next(verdicts)
    assert (verdict.broken_off, verdict.nr_run) == (True, 4096)
    with pytest.raises(error):
        next(verdicts)  # the second model has not begun, so there is no verdict on it


def test_a_live_line_says_what_compiles():
    out = io.StringIO()
    live = SearchLine(out)
    live._said_s -= module._PLAIN_LIVE_S
    group = ModelSearches(SimpleNamespace(name="m"), ["random"], SearchPlan("sc", 1, None))
    group.searches[0].start(SimulatedWorker(World()))
    live.show(group.searches, Budget(60.0, 1, CompileWork(0.0, {"m": 1.0}), io.StringIO(), lambda: 0.0))
    assert "60 s left, 1 of 1 searches left: compiling m" in out.getvalue()
