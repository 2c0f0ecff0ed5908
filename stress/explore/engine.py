"""One model on one machine in this process: compiled tasks on stacks of their own, or interpreted ones as greenlets.

Both engines run the scheduler of scheduler.py, so they pass the same points in the same order; a test holds that.
"""

import ctypes
import mmap
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from kernels.base import flavour, jit, points
from kernels.base.atomics import ProcessExit
from kernels.base.layout import ARRAY_START, ARRAYS, BUG_INVARIANT, COUNTER, COUNTER_STRIDE, FIELDS, Bug
from kernels.base.memory import memory_at
from kernels.base.points import END, LEAVE, PHASE, REQUEST_WORDS, REQUESTS, request, shared_word
from kernels.policy.boot import boot_machine
from stress.checkers import check_all
from stress.errors import HostError
from stress.explore import scheduler, state
from stress.explore.linearizability import Operation, history_of, not_linearizable
from stress.explore.livelock import TURNS_MIN
from stress.explore.model import PARAMS, Model
from stress.explore.operations import signature, word_at
from stress.explore.strategies import NAMED, STRATEGIES
from stress.machine.segment import create_machine, describe_lock, read_params

STACK_BYTES = 256 << 10
#: what tasks write past the scheduler and other tasks' assertions read: put back before every schedule
_RESTORED = ("control", "bugs", "cpus", "shadow")
AT_REST = "at-rest"  # a verdict beside state.VERDICT_NAMES: a checker at rest found it
PROFILED_SCHEDULES = 32  # random walks that tell some strategies what to expect, the same for every seed
LEARNING_SCHEDULES = 100  # before them, that tell which words are private
PROFILE_SEED = 1
NOTE_NO_STATES = -1


def find_cycle(waits_for: dict[int, int]) -> list[int]:
    """Those who wait for each other in a ring, from the lowest on; empty if nobody does."""
    for first in sorted(waits_for):
        path = [first]
        while (following := waits_for.get(path[-1])) is not None and following not in path:
            path.append(following)
        if following == first:
            return path
    return []


def task_body(model: Model) -> Any:
    """The kernel that every task of a model begins with, whatever the phase."""
    prepare, steps, check = model.prepare, model.steps, model.check

    def body(mem, cpu, phase):  # type: ignore[no-untyped-def]
        """One phase of the model."""
        if phase == state.PREPARE:
            boot_machine(mem)
            return prepare(mem, cpu)
        if phase == state.STEPS:
            return steps(mem, cpu)
        return check(mem, cpu)

    return jit.kernel(body)


def compiled_task(model: Model) -> int:
    """The address of the machine code that every task of a model begins at; compiled once in a process, and in those forked from it."""
    key = (model.name, model.module)
    if key not in _COMPILED:
        _COMPILED[key] = _compile_task(model)
    return _COMPILED[key]


_COMPILED: dict[tuple[str, str], int] = {}


def _compile_task(model: Model) -> int:
    body = task_body(model)

    def task() -> None:
        result = body(memory_at(shared_word(points.BASE)), shared_word(points.CURRENT), shared_word(points.PHASE))  # type: ignore[call-arg]
        request(END, 0, integer(result), 0)

    return jit.task_code(task, model.name, model.module)


@intrinsic
def integer(_typing: Any, result: Any) -> tuple[Any, Any]:
    """What a kernel of a model returns, which is a number on every path: an exception in a task would have nowhere to go."""
    if not isinstance(result, types.Integer | types.Boolean):
        raise TypingError(f"prepare, steps and check return an integer on every path, and one of them returns {result}")

    def lower(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return context.cast(builder, args[0], result, types.int64)

    return types.int64(result), lower


#: kernel frames from the innermost out: (file under the project, line, function)
Where = tuple[tuple[str, int, str], ...]
_ROOT = Path(__file__).resolve().parents[2]
_PLUMBING = frozenset(str(_ROOT / "kernels" / "base" / name) for name in ("points.py", "memory.py", "atomics.py"))


def where() -> Where:
    """Where the interpreted kernel that asks for an access stands."""
    frames, frame = [], sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(str(_ROOT)) and name not in _PLUMBING and name != __file__:
            frames.append((str(Path(name).relative_to(_ROOT)), frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(frames)


class GreenletTasks(points.Interpreter):
    """Interpreted tasks: a greenlet each, switched where compiled ones switch stacks."""

    def __init__(self, mem: Any, model: Model) -> None:
        try:
            import greenlet
        except ModuleNotFoundError as error:
            raise HostError("interpreted exploration needs the package greenlet: pip install greenlet") from error
        self._greenlet = greenlet
        self._scheduler = greenlet.getcurrent()
        self._tasks: dict[int, Any] = {}
        self._pending: dict[int, Where] = {}
        self.passed: dict[int, list[Where]] = {}  # per task, where the request of each of its steps stands in the source
        self.refused: Where = ()  # where the request stands that is out of bounds
        self.watching = False
        self._mem, self._body = mem, task_body(model)

    @property
    def _phase(self) -> int:
        assert points.STATE is not None
        return int(points.STATE[PHASE])

    def _run(self) -> None:
        words = points.STATE
        assert words is not None
        task = words[points.CURRENT]
        try:
            kind, result = END, int(self._body(self._mem, task, words[PHASE]))
        except ProcessExit as leaving:
            kind, result = LEAVE, int(leaving.code or 0)
        at = REQUESTS + REQUEST_WORDS * task
        words[at : at + 3] = (kind, 0, result)
        self.serve()

    def start(self, task: int) -> None:
        self._pending.pop(task, None)
        if self._phase == state.STEPS:  # another task begins the check when the steps have been passed
            self.passed[task] = []
        self._tasks[task] = self._greenlet.greenlet(self._run, self._scheduler)

    def resume(self, task: int) -> None:
        if self._phase == state.STEPS and task in self._pending:
            self.passed[task].append(self._pending[task])
        self._tasks[task].switch()

    def serve(self) -> bool:
        words = points.STATE
        assert words is not None
        answered = bool(scheduler.serve(words))
        if self.watching and words[state.VERDICT] == state.OUT_OF_BOUNDS:
            self.refused = where()
        return answered

    def suspend(self) -> None:
        if self.watching:
            words = points.STATE
            assert words is not None
            self._pending[words[points.CURRENT]] = where()
        self._scheduler.switch()


@dataclass(frozen=True)
class Found:
    """How one schedule failed: verdict, and the record that bug() wrote."""

    verdict: str
    code: str = ""
    invariant: str = ""
    cpu: int = -1
    pfn: int = -1
    seen: int = 0
    wanted: int = 0
    message: str = ""

    def same_failure(self, other: "Found") -> bool:
        return (self.verdict, self.code) == (other.verdict, other.code)


@dataclass(frozen=True)
class Step:
    """One step of a schedule that was logged: what was chosen, for which task, what it did."""

    choice: int
    cpu: int
    op: int
    offset: int
    first: int
    second: int
    result: int
    before: int
    enabled: int  # from whom it was chosen; 0: an access that nobody else could tell from others, which was not chosen

    @property
    def chosen(self) -> int:
        """Who was chosen."""
        return self.choice & state.WHO_MASK

    @property
    def is_early(self) -> bool:
        """Whether it is a load that returned an older value than memory had."""
        return self.choice != self.chosen


#: a load that returns an older value: task, number of its access from 0, which one (state.VERSION_SHIFT)
EarlyLoad = tuple[int, int, int]


def early_loads(choices: list[int]) -> list[EarlyLoad]:
    """The loads of a schedule, none of whose steps is left open, that return older values."""
    found: list[EarlyLoad] = []
    made: Counter[int] = Counter()
    for choice in choices:
        who, version = choice & state.WHO_MASK, choice >> state.VERSION_SHIFT
        if version > 0:
            found.append((who, made[who], version))
        made[who] += 1
    return found


class Engine:
    """A model, ready to be explored: the machine stands where every schedule begins. One at a time in a process.

    Raises      HostError, UnsupportedHost; AssertionError if the model's preparation breaks an invariant
    """

    def __init__(self, model: Model, memory: str = "sc", *, races: bool = True, privacy: bool = True) -> None:
        self.model, self.memory = model, memory
        words = points.provide_state()
        self.words: Any = words
        self._zero(0, points.STATE_WORDS)
        self.mem = create_machine(model.geometry, PARAMS | model.params)
        self._keep: list[Any] = []
        self._judged: dict[tuple[Operation, ...], tuple[Operation, ...] | None] = {}  # histories
        self._privacy = privacy
        words[points.BASE] = self.mem.base
        words[state.NR_TASKS], words[state.RACES] = model.nr_cpus, int(races)
        words[state.LOADS_EARLY] = int(memory in state.MAKES_LOADS_EARLY)
        self._describe_fields()
        if flavour.INTERPRETED:
            self.tasks = GreenletTasks(self.mem, model)
            points.interpreter = self.tasks  # type: ignore[assignment]
        else:
            self._give_stacks()
            words[state.CODE], words[points.SERVE] = compiled_task(model), scheduler.serve_code()
        if scheduler.prepare_machine(words, state.PREPARE) != state.UNDECIDED:
            raise AssertionError(f"model {model.name}: its preparation breaks: {self.found()}")
        self._remember()
        self.set_tasks(model.nr_cpus)

    def close(self) -> None:
        """Nobody schedules any more."""
        points.interpreter = None

    # -- how it is set up

    def _describe_fields(self) -> None:
        words = self.words
        for number, name in enumerate(points.FIELD_NAMES):
            slot, _, stride, offset = FIELDS[name]
            begin = self.mem.base + ARRAY_START[slot] + offset
            words[state.FIELD_BEGIN + number] = begin
            words[state.FIELD_END + number] = begin + len(self.mem.arrays[name]) * stride

    def _give_stacks(self) -> None:
        stacks = mmap.mmap(-1, STACK_BYTES * points.MAX_TASKS)
        self._keep.append(stacks)
        self.words[state.STACKS] = np.frombuffer(stacks, np.uint8).ctypes.data
        self.words[state.STACK_BYTES] = STACK_BYTES

    def _remember(self) -> None:
        """Copy what tasks write past the scheduler, to be put back before every schedule."""
        words, count = self.words, 0
        for spec in ARRAYS:
            if spec.name in _RESTORED:
                first = spec.fields[0].name
                address = self.mem.arrays[first].ctypes.data - spec.fields[0].offset
                nr_words = -(-len(self.mem.arrays[first]) * spec.stride // 8)
                copy: npt.NDArray[np.int64] = np.zeros(nr_words, np.int64)
                for k in range(nr_words):
                    copy[k] = ctypes.c_int64.from_address(address + 8 * k).value
                self._keep.append(copy)
                at = state.RESTORED + count * state.RESTORED_WORDS
                words[at], words[at + 1], words[at + 2] = address, nr_words, copy.ctypes.data
                count += 1
        words[state.NR_RESTORED] = count

    # -- what it does

    def begin(self, strategy: str, seed: int) -> None:
        """Choose a strategy, and forget what was remembered of schedules before."""
        words = self.words
        number, parameter = NAMED[strategy]
        if words[state.LOADS_EARLY] and STRATEGIES[number].exhaustive:
            raise ValueError(f"{strategy} does not know which value a load returns: {self.memory} is for samplers")
        if not self._profiled and (self._privacy or STRATEGIES[number].profiled):
            self._profile()
        words[state.PRIVACY], words[state.RESTARTS] = int(self._privacy), int(STRATEGIES[number].exhaustive)
        if self._privacy:
            words[state.TOUCHED_BY : state.TOUCHED_BY + state.KNOWN_CAPACITY] = self._touched_by
        words[state.STRATEGY], words[state.PARAMETER], words[state.SEED] = number, parameter, seed
        self._forget()

    def _forget(self) -> None:
        words = self.words
        for word in (state.NR_RUN, state.TOTAL_STEPS, state.MOST_STEPS, state.NR_PRUNED, state.COMPLETE, state.LOGGING, state.NOTING):
            words[word] = 0
        self._zero(state.STRATEGY_WORDS, state.RESTARTED_WORDS)
        words[state.GREW] = words[state.CUT] = words[state.TOTAL_POINTS] = words[state.MOST_POINTS] = 0

    def set_tasks(self, nr_tasks: int) -> None:
        """Only the first CPUs run, and perhaps another program: what was learnt of its length is forgotten."""
        self.words[state.NR_TASKS] = nr_tasks
        self.words[state.NR_LANES] = min(state.LANES[self.memory], state.NR_BUFFERS // nr_tasks)
        self._profiled = False
        self.words[state.NR_WORDS_KNOWN] = 0
        self._zero(state.KNOWN, state.KNOWN_CAPACITY)

    def put_back(self) -> None:
        """Memory as every schedule finds it."""
        scheduler.put_back(self.words, 0)

    def forget_states(self) -> None:
        """Every final state is new again."""
        self.words[state.NR_STATES] = 0
        self._zero(state.STATES, state.STATES_CAPACITY)

    def _zero(self, first: int, count: int) -> None:
        if flavour.INTERPRETED:
            self.words[first : first + count] = [0] * count
        else:
            self.words[first : first + count] = 0

    def _profile(self) -> None:
        """Learn on random walks which words are private; then count the points, the steps of each, and who touches which word how often."""
        self._profiled = True
        self._zero(state.TOUCHED_BY, state.KNOWN_CAPACITY)
        self._touched_by = self.words[state.TOUCHED_BY : state.TOUCHED_BY + state.KNOWN_CAPACITY] * 1
        self.begin("random", PROFILE_SEED)
        for number in range(LEARNING_SCHEDULES):
            self.words[state.NOTING] = NOTE_NO_STATES
            scheduler.explore_batch(self.words, number, 1)
        words, lanes = self.words, self.words[state.NR_LANES]
        steps: Counter[int] = Counter()
        touches: dict[int, Counter[int]] = defaultdict(Counter)
        written, awaited = set(), set()
        for number in range(PROFILED_SCHEDULES):
            words[state.LOGGING], words[state.NOTING] = 1, NOTE_NO_STATES
            scheduler.explore_batch(words, number, 1)
            for step in self.steps():
                if not step.enabled:
                    continue
                steps[step.chosen] += 1
                kind = step.op & points.KIND_MASK
                if step.offset and not (kind == points.STORE and lanes):
                    touches[step.offset][step.chosen] += 1
                    if kind != points.LOAD:
                        written.add(step.offset)
                    if kind == points.AWAIT:  # creation, join: whose turn it is there is no choice
                        awaited.add(step.offset)
        words[state.POINTS_EXPECTED] = words[state.MOST_POINTS]
        self._touched_by = words[state.TOUCHED_BY : state.TOUCHED_BY + state.KNOWN_CAPACITY] * 1
        self._write_counts(state.PROFILE_STEPS, steps)
        drawable = written - awaited
        shared = [offset for offset, by in touches.items() if offset in drawable and len({self.task_of(who) for who in by}) > 1]
        shared = sorted(sorted(shared), key=lambda offset: -touches[offset].total())[: state.PROFILED_MAX]
        words[state.NR_PROFILED] = len(shared)
        for k, offset in enumerate(shared):
            words[state.PROFILE_ADDRESSES + k] = self.mem.base + offset
            self._write_counts(state.PROFILE_COUNTS + k * state.NR_SCHEDULABLE, touches[offset])

    def _write_counts(self, at: int, counts: Counter[int]) -> None:
        """For each schedulable the mean of a schedule, but not 0 for what happens at all."""
        self._zero(at, state.NR_SCHEDULABLE)
        for who, count in counts.items():
            self.words[at + who] = max(1, round(count / PROFILED_SCHEDULES))

    def explore(self, first: int, nr_schedules: int, *, note_every: int = 0) -> int:
        """Run schedules from `first` on; returns the number of the next one. `stop`, `verdict` say why it returned.

        Parameters  note_every: stop at one in so many new final states, by their hash, and at the first NOTE_FIRST ones; 0: at none
        """
        self.words[state.NOTING] = note_every
        return int(scheduler.explore_batch(self.words, first, nr_schedules))

    def replay(
        self, choices: list[int], early: Sequence[EarlyLoad] | None = None, *, logging: bool = False, judge: bool = False
    ) -> Found | None:
        """Run one given schedule; how it failed, or None. -1 in `choices`: whoever went on last, else the lowest.

        Parameters  early: the loads that return older values; None: what `choices` say
                    judge: whether the checkers at rest look at how it ended
        """
        early = early_loads(choices) if early is None else early
        words = self.words
        words[state.STRATEGY], words[state.PRIVACY] = NAMED["given"][0], 0
        words[state.NR_GIVEN], words[state.LOGGING] = len(choices), int(logging)
        for k, choice in enumerate(choices):
            words[state.GIVEN + k] = choice & state.WHO_MASK if choice >= 0 else -1
        words[state.NR_GIVEN_EARLY] = len(early)
        for k, word in enumerate(word for each in early for word in each):
            words[state.GIVEN_EARLY + k] = word
        self.explore(0, 1)
        words[state.LOGGING] = 0
        return self.found() or (self.at_rest() if judge else None)

    # -- what it found

    @property
    def stop(self) -> int:
        return int(self.words[state.STOP])

    @property
    def verdict(self) -> str:
        return state.VERDICT_NAMES[int(self.words[state.VERDICT])]

    @property
    def nr_run(self) -> int:
        return int(self.words[state.NR_RUN])

    @property
    def nr_steps(self) -> int:
        return int(self.words[state.NR_STEPS])

    def choices(self) -> list[int]:
        """Who was chosen at each step of the last schedule, and which value a load returned (state.VERSION_SHIFT)."""
        return [int(self.words[state.CHOICES + k]) for k in range(self.nr_steps)]

    def task_of(self, chosen: int) -> int:
        """The task whose step, or whose store's flush, a choice is."""
        return chosen if chosen < state.FLUSH else (chosen - state.FLUSH) % int(self.words[state.NR_TASKS])

    def nr_preemptions(self) -> int:
        """How often the last schedule went on with another CPU than before although that one was neither at its end nor waiting at last.

        That a store leaves its buffer is the memory's doing, and nobody's step.
        """
        who = [cpu for choice in self.choices() if (cpu := choice & state.WHO_MASK) < state.FLUSH]
        last_step = {cpu: at for at, cpu in enumerate(who)}
        broken_off = self.words[points.PHASE] == state.STEPS
        running = {cpu for cpu in last_step if broken_off and self.words[state.STATUS + cpu] == state.RUNNING}
        return sum(a != b and (last_step[a] > at or a in running) for at, (a, b) in enumerate(pairwise(who)))

    def steps(self) -> list[Step]:
        """The log of the last schedule, if it was logged."""
        found = []
        for k in range(self.nr_steps):
            at = state.LOG + k * state.LOG_WORDS
            choice, *logged = (int(self.words[at + j]) for j in range(8))
            found.append(Step(choice, self.task_of(choice & state.WHO_MASK), *logged))
        return found

    def found(self) -> Found | None:
        """How the last schedule failed, or None."""
        verdict = int(self.words[state.VERDICT])
        if verdict in (state.UNDECIDED, state.CLEAN, state.PRUNED):
            return None
        name = state.VERDICT_NAMES[verdict]
        arrays = self.mem.arrays
        if verdict == state.RACE:
            return self._race()
        if verdict == state.OUT_OF_BOUNDS:
            return self._out_of_bounds()
        if verdict != state.BROKEN:
            return Found(name, message=self._stuck() if verdict in (state.DEADLOCK, state.LIVELOCK) else "")
        code = Bug(int(arrays["bug_code"][0]))
        cpu, pfn, seen, wanted = (int(arrays[f"bug_{part}"][0]) for part in ("cpu", "pfn", "seen", "wanted"))
        return Found(name, code.name, BUG_INVARIANT[code], cpu, pfn, seen, wanted)

    def at_rest(self) -> Found | None:
        """What the oracle and the checkers of stress/checkers say about the final state in which the machine is now."""
        found = self._not_linearizable()
        if found is not None or not self.model.at_rest:
            return found
        violations = check_all(self.mem)
        if not violations:
            return None
        first = violations[0]
        cpu = first.cpus[0] if first.cpus else -1
        words = ", ".join(f"{name} {word}" for name, word in first.words.items())
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        return Found(AT_REST, first.checker, first.invariant, cpu, first.pfn, message=f"{first.message}: {words}{more}")

    def _not_linearizable(self) -> Found | None:
        """What the model's oracle says about the history of the last schedule."""
        oracle = self.model.oracle
        if oracle is None:
            return None
        history = history_of(self.mem.arrays, self.model.nr_cpus, oracle)
        if history not in self._judged:
            self._judged[history] = not_linearizable(history, oracle)
        guilty = self._judged[history]
        if guilty is None:
            return None
        told = ", ".join(f"{each} from {each.invoked} to {each.returned}" for each in sorted(guilty, key=lambda each: each.invoked))
        return Found(AT_REST, "linearizability", oracle.invariant, message=f"no order of one at a time has these results: {told}")

    def _out_of_bounds(self) -> Found:
        """The request that nobody can answer, which is no step of the schedule any more."""
        cpu = int(self.words[points.CURRENT])
        at = points.REQUESTS + points.REQUEST_WORDS * cpu
        op, address = int(self.words[at]), int(self.words[at + 1])
        name = points.FIELD_NAMES[op >> points.FIELD_SHIFT]
        said = f"cpu {cpu} asks for {signature(op, address - self.mem.base)}, and {name} has {len(self.mem.arrays[name])}"
        return Found("out-of-bounds", name, cpu=cpu, message=said)

    def _race(self) -> Found:
        """The two accesses that nothing orders: the last step, and an earlier one."""
        words = self.words
        address, last = int(words[state.LAST_ADDRESS]), int(words[state.LAST_TASK])
        other, step = int(words[state.RACE_TASK]), int(words[state.RACE_STEP])
        name = word_at(address - self.mem.base)
        said = f"{name}: step {step} of cpu {other} and step {self.nr_steps} of cpu {last}, one of them plain, are ordered by nothing"
        return Found("race", name.partition("[")[0], cpu=last, message=said)

    def _stuck(self) -> str:
        """Who has not ended, what for, and the cycle if there is one."""
        words, waits_for = self.words, {}
        said = []
        for cpu in range(int(words[state.NR_TASKS])):
            status = int(words[state.STATUS + cpu])
            if status == state.DONE:
                continue
            text, owner = self._waiting(cpu)
            said.append(f"cpu {cpu} {text if status == state.WAITING else 'runs'}")
            if owner is not None:
                waits_for[cpu] = owner
        if self.words[state.VERDICT] == state.LIVELOCK:
            said.append(self._loop())
        cycle = find_cycle(waits_for)
        if cycle:
            said.append(f"a cycle: cpu {' -> cpu '.join(map(str, [*cycle, cycle[0]]))}")
        return ", ".join(said)

    def _loop(self) -> str:
        """The loop that nobody leaves, if one was seen; else that there is no end."""
        words = self.words
        if words[state.LOOP_TURNS] < TURNS_MIN:
            return f"no end after {self.nr_steps:,} steps"
        about = []
        for cpu in range(int(words[state.NR_TASKS])):
            if words[state.STATUS + cpu] == state.RUNNING:
                at = points.REQUESTS + points.REQUEST_WORDS * cpu
                op, address = int(words[at]), int(words[at + 1])
                about.append(f"cpu {cpu} at {signature(op, address - self.mem.base if address else 0)}")
        steps = self.nr_steps - int(words[state.LOOP_BEGAN])
        return f"{TURNS_MIN} times back in {steps:,} steps where they were: {', '.join(about)}"

    def _waiting(self, cpu: int) -> tuple[str, int | None]:
        """What a CPU waits for, and whom if that is known."""
        arrays = self.mem.arrays
        lock = int(arrays["cpu_waits"][cpu]) - 1
        if 0 <= lock < len(arrays["lock_word"]):
            owner = int(arrays["lock_word"][lock]) - 1
            name = describe_lock(read_params(arrays), lock)
            held = f"held by cpu {owner}" if owner >= 0 else "free" if owner == -1 else f"shared by {-owner - 1} readers"
            return f"waits for the {name}, {held}", owner if owner >= 0 else None
        address = int(self.words[state.WAITED_ON + cpu])
        return f"waits for a change of {word_at(address - self.mem.base)}" if address else "waits", None

    def final_states(self) -> list[int]:
        """The hashes of all final states so far."""
        table = self.words[state.STATES : state.STATES + state.STATES_CAPACITY]
        return [int(each) for each in table if each]

    @property
    def nr_states_free(self) -> int:
        """How many more final states can be told from those before."""
        return state.STATES_CAPACITY // 2 - int(self.words[state.NR_STATES])

    def final_state(self) -> int:
        """The hash of the state in which the last schedule ended."""
        return int(self.words[state.FINAL])

    def results(self) -> list[int]:
        """What the steps of each CPU returned."""
        return [int(self.words[state.RESULTS + cpu]) for cpu in range(self.model.nr_cpus)]

    def counters(self) -> dict[str, int]:
        """The machine's counters over all schedules so far, by name."""
        total = self.mem.arrays["counters"].reshape(-1, COUNTER_STRIDE).sum(axis=0)
        return {name: int(total[at]) for name, at in COUNTER.items()}
