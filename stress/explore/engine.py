"""One model on one machine in this process: compiled tasks on stacks of their own, or interpreted ones as greenlets.

Both engines run the scheduler of scheduler.py, so they pass the same points in the same order; a test checks that.
"""

import ctypes
import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.base import flavour, points
from kernels.base.layout import ARRAY_START, ARRAYS, COUNTER, COUNTER_STRIDE, FIELDS
from stress.explore import scheduler, state
from stress.explore.at_rest import RestJudge
from stress.explore.diagnosis import Found, diagnose
from stress.explore.greenlets import GreenletTasks
from stress.explore.model import PARAMS, Model
from stress.explore.profile import learn
from stress.explore.steps import EarlyLoad, Step, choices_made, count_preemptions, early_loads, logged_steps, task_of
from stress.explore.strategies import NAMED, STRATEGIES
from stress.explore.tasks import compiled_task, serve_code
from stress.explore.words import begin_strategy, zero
from stress.machine.segment import create_machine

STACK_BYTES = 256 << 10
#: arrays that tasks write without asking the scheduler, and that assertions of other tasks read: restored before every schedule
_RESTORED = ("control", "bugs", "cpus", "shadow")


class Engine:
    """A model, ready to be explored: the machine is in the state in which every schedule begins. One at a time in a process.

    Raises      HostError, UnsupportedHost; AssertionError if the model's preparation breaks an invariant
    """

    def __init__(self, model: Model, memory: str = "sc", *, races: bool = True, privacy: bool = True) -> None:
        self.model, self.memory = model, memory
        words = points.provide_state()
        self.words: Any = words
        zero(words, 0, points.STATE_WORDS)
        self.mem = create_machine(model.geometry, PARAMS | model.params)
        self._keep: list[Any] = []  # memory whose addresses are among the words
        self._rest_judge = RestJudge(self.mem, model)
        self._privacy = privacy
        self._touched_by: Any = None  # what learn() returned
        words[points.BASE] = self.mem.base
        words[state.NR_TASKS], words[state.RACES] = model.nr_cpus, int(races)
        words[state.LOADS_EARLY] = int(memory in state.MAKES_LOADS_EARLY)
        self._describe_fields()
        if flavour.INTERPRETED:
            self.tasks = GreenletTasks(self.mem, model)
            points.interpreter = self.tasks  # type: ignore[assignment]
        else:
            self._give_stacks()
            words[state.CODE], words[points.SERVE] = compiled_task(model), serve_code()
        if scheduler.prepare_machine(words, state.PREPARE) != state.UNDECIDED:
            raise AssertionError(f"model {model.name}: its preparation breaks: {self.found()}")
        self._copy_unscheduled()
        self.set_tasks(model.nr_cpus)

    def close(self) -> None:
        """Interpreted kernels make their accesses themselves again."""
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

    def _copy_unscheduled(self) -> None:
        """Copy what tasks write without asking the scheduler, so that it is restored before every schedule."""
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
        """Choose a strategy. What was counted and remembered of schedules before is forgotten."""
        words, chosen = self.words, STRATEGIES[NAMED[strategy][0]]
        if words[state.LOADS_EARLY] and chosen.exhaustive:
            raise ValueError(f"{strategy} cannot choose the value that a load returns: {self.memory} is for samplers")
        if self._touched_by is None and (self._privacy or chosen.profiled):
            self._touched_by = learn(words, self.mem.base, privacy=self._privacy)
        words[state.PRIVACY] = int(self._privacy)
        if self._privacy:
            words[state.TOUCHED_BY : state.TOUCHED_BY + state.KNOWN_CAPACITY] = self._touched_by
        begin_strategy(words, strategy, seed)

    def set_tasks(self, nr_tasks: int) -> None:
        """Only the first CPUs run, and perhaps another program: what was learned before is forgotten."""
        self.words[state.NR_TASKS] = nr_tasks
        self.words[state.NR_LANES] = min(state.LANES[self.memory], state.NR_BUFFERS // nr_tasks)
        self._touched_by = None
        self.words[state.NR_WORDS_KNOWN] = 0
        zero(self.words, state.KNOWN, state.KNOWN_CAPACITY)

    def put_back(self) -> None:
        """Restore memory to the state in which every schedule begins."""
        scheduler.put_back(self.words, 0)

    def forget_states(self) -> None:
        """Every final state is new again."""
        self.words[state.NR_STATES] = 0
        zero(self.words, state.STATES, state.STATES_CAPACITY)

    def explore(self, first: int, nr_schedules: int, *, note_every: int = 0) -> int:
        """Run schedules from `first` on; returns the number of the next one. `stop`, `verdict` say why it returned.

        Parameters  note_every: stop at one in so many new final states, by their hash, and at the first NOTE_FIRST ones; 0: at none
        """
        self.words[state.NOTING] = note_every
        return int(scheduler.explore_batch(self.words, first, nr_schedules))

    def replay(
        self, choices: list[int], early: Sequence[EarlyLoad] | None = None, *, logging: bool = False, judge: bool = False
    ) -> Found | None:
        """Run one given schedule; how it failed, or None. -1 in `choices`: the CPU of the step before, else the lowest.

        Parameters  early: the loads that return older values; None: what `choices` say
                    judge: whether the final state is judged, too
        """
        early = early_loads(choices) if early is None else early
        words = self.words
        words[state.STRATEGY], words[state.PRIVACY] = NAMED["given"][0], 0
        words[state.NR_GIVEN], words[state.LOGGING] = len(choices), int(logging)
        for k, choice in enumerate(choices):
            words[state.GIVEN + k] = choice & state.CHOSEN_MASK if choice >= 0 else -1
        words[state.NR_GIVEN_EARLY] = len(early)
        for k, word in enumerate(word for each in early for word in each):
            words[state.GIVEN_EARLY + k] = word
        self.explore(0, 1)
        words[state.LOGGING] = 0
        return self.found() or (self.at_rest() if judge else None)

    # -- what the last schedule did

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
        return choices_made(self.words)

    def steps(self) -> list[Step]:
        return logged_steps(self.words)

    def task_of(self, chosen: int) -> int:
        return task_of(self.words, chosen)

    def nr_preemptions(self) -> int:
        return count_preemptions(self.words)

    def found(self) -> Found | None:
        """How it failed by itself, or None."""
        return diagnose(self.words, self.mem)

    def at_rest(self) -> Found | None:
        """What is wrong with its final state, or None."""
        return self._rest_judge.found()

    def final_state(self) -> int:
        """The hash of the state in which it ended."""
        return int(self.words[state.FINAL])

    def results(self) -> list[int]:
        """What the steps of each CPU returned."""
        return [int(self.words[state.RESULTS + cpu]) for cpu in range(self.model.nr_cpus)]

    # -- what all schedules did

    def final_states(self) -> list[int]:
        """The hashes of all final states so far."""
        table = self.words[state.STATES : state.STATES + state.STATES_CAPACITY]
        return [int(each) for each in table if each]

    @property
    def nr_states_free(self) -> int:
        """How many more final states are remembered; after that no state is new."""
        return state.STATES_CAPACITY // 2 - int(self.words[state.NR_STATES])

    def counters(self) -> dict[str, int]:
        """The machine's counters over all schedules so far, by name."""
        total = self.mem.arrays["counters"].reshape(-1, COUNTER_STRIDE).sum(axis=0)
        return {name: int(total[at]) for name, at in COUNTER.items()}
