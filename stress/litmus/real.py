"""`pfnstorm litmus --real`: litmus tests compiled, on real processors, and whether an outcome came up that x86-TSO forbids.

One process per thread, each pinned to a processor; rounds of instances (rounds.py), as litmus7 does. Every outcome is looked up among the
final states that final_states.py enumerates under SC and TSO. Where there are too many of those, only the file's verdict about its
condition is checked. An arm64 processor may do what TSO forbids: there that is reported, and is no violation.
"""

import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from kernels.base.layout import RING_EVENTS
from stress.errors import EXIT_INTERRUPTED, EXIT_LOST, EXIT_VIOLATED, HostError, PfnstormError
from stress.explore.model import PARAMS, small_geometry
from stress.io.json_report import write_report
from stress.io.output import LiveLine
from stress.litmus import rounds
from stress.litmus.file import Litmus
from stress.litmus.final_states import Final, final_states
from stress.litmus.tape import EXCHANGE, EXCHANGE_RELAXED, LOAD, MAX_THREADS, write_tapes
from stress.machine.host import describe_host, usable_cores, usable_cpus
from stress.machine.segment import create_machine
from stress.process.child import fork_child

SCHEMA = "pfnstorm-litmus-real/1"
PROCESSORS = {"x86_64": "x86-64", "aarch64": "arm64"}
_LIVE_S = 0.5
_POLL_S = 0.02
_CONTENTS_PER_FRAME = 512


class LostThreadError(PfnstormError):
    """A thread's process has died."""

    exit_code = EXIT_LOST


@dataclass(frozen=True)
class LitmusRealOptions:
    """What a user asked for. `runs`: of each test."""

    tests: tuple[Litmus, ...]
    runs: int
    seed: int
    json: Path | None


@dataclass(frozen=True)
class CountedFinal:
    """One final state, and how often it came up."""

    final: Final
    count: int


@dataclass(frozen=True)
class Observed:
    """What the processors did in one test, and what SC and TSO allow; None: too many final states to enumerate."""

    test: Litmus
    nr_runs: int
    seconds: float
    outcomes: tuple[CountedFinal, ...]
    sc: frozenset[Final] | None
    tso: frozenset[Final] | None

    def witnesses(self, outcome: CountedFinal) -> bool:
        """Whether an outcome satisfies the test's condition."""
        return self.test.exists(*self.test.named(*outcome.final))

    def is_forbidden(self, outcome: CountedFinal) -> bool:
        """Whether TSO forbids an outcome."""
        if self.tso is not None:
            return outcome.final not in self.tso
        return self.test.verdicts.get("tso") == "forbidden" and self.witnesses(outcome)

    def is_relaxed(self, outcome: CountedFinal) -> bool:
        """Whether an outcome needs a store buffer."""
        if self.sc is not None:
            return outcome.final not in self.sc
        return self.test.verdicts.get("sc") == "forbidden" and self.witnesses(outcome)

    def count(self, which: Callable[[CountedFinal], bool]) -> int:
        return sum(outcome.count for outcome in self.outcomes if which(outcome))


def require_processors(tests: Sequence[Litmus]) -> None:
    """Refuse a host that is neither x86-64 nor arm64, and tests with more threads than it has cores.

    Raises      HostError
    """
    if platform.machine() not in PROCESSORS:
        raise HostError(f"litmus --real needs x86-64 or arm64, and this host is {platform.machine()}")
    cores = min(usable_cores(), len(usable_cpus()))
    for test in tests:
        if len(test.threads) > cores:
            raise HostError(
                f"{test.name} has {len(test.threads)} threads, which need a core each, and this host has {cores}: choose others by --test"
            )


def fitting_tests(tests: Sequence[Litmus]) -> list[Litmus]:
    """The tests with no more threads than there are cores; if there is none, all, which require_processors() then refuses."""
    cores = min(usable_cores(), len(usable_cpus()))
    return [test for test in tests if len(test.threads) <= cores] or list(tests)


# ------------------------------------------------------------------------------------------------------------------ running


class LitmusHost:
    """A machine in shared memory on which one test after the other runs."""

    def __init__(self) -> None:
        frames = -(-rounds.CONTENTS_WORDS // _CONTENTS_PER_FRAME)
        geometry = small_geometry(MAX_THREADS, frames_per_node=frames + (-frames) % 64, words_per_frame=_CONTENTS_PER_FRAME)
        self.mem: Any = create_machine(geometry, PARAMS)
        self.contents: Any = self.mem.arrays["contents"]

    def load(self, test: Litmus) -> None:
        """Write a test on the tapes, and clear the outcomes."""
        arrays = self.mem.arrays
        self.contents[: rounds.INSTANCES] = 0
        self.contents[rounds.INITIAL : rounds.INITIAL + len(test.initial)] = test.initial
        write_tapes(arrays, test.threads, MAX_THREADS)
        for cpu, operations in enumerate(test.threads):
            for k, operation in enumerate(operations):
                arrays["ring_cycles"][cpu * RING_EVENTS + k] = operation.kind in (LOAD, EXCHANGE, EXCHANGE_RELAXED)
            self.contents[rounds.NR_LOADS + cpu] = len(test.registers[cpu])

    def run(self, test: Litmus, nr_runs: int, seed: int, live: LiveLine) -> tuple[float, tuple[CountedFinal, ...]]:
        """Run instances of a test; the seconds that it took, and the outcomes.

        Raises      LostThreadError
        """
        self.load(test)
        nr_variables, nr_loads = len(test.variables), max(map(len, test.registers))
        nr_instances = min(rounds.MAX_INSTANCES, rounds.INSTANCE_WORDS // (max(1, nr_variables) * rounds.LINE), nr_runs)
        nr_instances = min(nr_instances, rounds.LOADED_WORDS // max(1, nr_loads))
        row_words = 1 + nr_variables + sum(map(len, test.registers))
        start = time.monotonic()

        def work(cpu: int) -> None:
            left, nr_round = nr_runs, 0
            while left > 0:
                nr_round, now = nr_round + 1, min(left, nr_instances)
                left -= now
                if cpu == 0:
                    rounds.begin_round(self.mem, nr_round, now, nr_variables)
                rounds.run_round(self.mem, cpu, len(test.threads), nr_round, now, nr_variables, seed + nr_round * 8 + cpu)
                if cpu == 0:
                    rounds.end_round(self.mem, len(test.threads), nr_round, now, nr_variables, row_words)

        with processes(len(test.threads), work) as pids:
            while pids:
                for pid, status in _ended(pids):
                    del pids[pid]
                    if status != 0:
                        raise LostThreadError(f"{test.name}: a thread's process has died ({_how(status)})")
                if live.is_due:
                    done = min(nr_runs, int(self.contents[rounds.ROUND]) * nr_instances)
                    live.say(f"{test.name}: {done:,} of {nr_runs:,} runs")
                time.sleep(_POLL_S)
        live.clear()
        if self.contents[rounds.NR_LOST]:
            raise HostError(f"{test.name}: more different outcomes than the table has rows")
        return time.monotonic() - start, tuple(self._outcomes(test, row_words))

    def _outcomes(self, test: Litmus, row_words: int) -> Iterator[CountedFinal]:
        for row in range(rounds.OUTCOMES, rounds.OUTCOMES + rounds.OUTCOME_WORDS - row_words + 1, row_words):
            count, *words = (int(word) for word in self.contents[row : row + row_words])
            if count == 0:
                return
            memory, rest = tuple(words[: len(test.variables)]), words[len(test.variables) :]
            loaded = []
            for registers in test.registers:
                loaded.append(tuple(rest[: len(registers)]))
                rest = rest[len(registers) :]
            yield CountedFinal((memory, tuple(loaded)), count)


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit {code}"


def _ended(pids: dict[int, int]) -> Iterator[tuple[int, int]]:
    for pid in list(pids):
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            yield pid, status


@contextmanager
def processes(count: int, work: Callable[[int], None]) -> Iterator[dict[int, int]]:
    """Fork processes, pinned to a processor each; those that still run when the block ends are killed."""
    places = usable_cpus()
    pids: dict[int, int] = {}
    try:
        for cpu in range(count):
            pids[fork_child(partial(work, cpu), f"thread {cpu}", pin_to=places[cpu])] = cpu
        yield pids
    finally:
        for pid in pids:
            with suppress(ProcessLookupError, ChildProcessError):  # an interrupt may come after waitpid() and before `del`
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


# -------------------------------------------------------------------------------------------------------------- reporting


def describe(observed: Observed) -> list[str]:
    """A histogram, most frequent outcomes first."""
    test = observed.test
    rate = f"{observed.nr_runs / max(observed.seconds, 1e-9):,.0f}/s"
    lines = [f"{test.name}: {observed.nr_runs:,} runs, {len(test.threads)} threads, {rate}; exists {test.condition}"]
    changing = [k for k, name in enumerate(test.variables) if len({outcome.final[0][k] for outcome in observed.outcomes}) > 1]
    rows = []
    for outcome in sorted(observed.outcomes, key=lambda each: -each.count):
        memory, registers = test.named(*outcome.final)
        words = [f"{thread}:{name}={value}" for thread, loaded in enumerate(registers) for name, value in loaded.items()]
        words += [f"[{test.variables[k]}]={memory[test.variables[k]]}" for k in changing]
        remarks = ["exists"] if observed.witnesses(outcome) else []
        if observed.is_forbidden(outcome):
            remarks.append("TSO forbids it" if PROCESSORS[platform.machine()] == "x86-64" else "TSO forbids it, arm64 may")
        elif observed.is_relaxed(outcome):
            remarks.append("needs a store buffer")
        rows.append((" ".join(words), f"{outcome.count:,}", ", ".join(remarks)))
    if rows:
        width, count = max(len(row[0]) for row in rows), max(len(row[1]) for row in rows)
        lines += [f"  {words.ljust(width)}  {number.rjust(count)}  {remark}".rstrip() for words, number, remark in rows]
    return lines


def to_json(observed: Observed) -> dict[str, Any]:
    outcomes = []
    for outcome in observed.outcomes:
        memory, registers = observed.test.named(*outcome.final)
        outcomes.append(
            {
                "memory": memory,
                "registers": list(registers),
                "runs": outcome.count,
                "exists": observed.witnesses(outcome),
                "relaxed": observed.is_relaxed(outcome),
                "forbidden": observed.is_forbidden(outcome),
            }
        )
    return {"name": observed.test.name, "runs": observed.nr_runs, "seconds": observed.seconds, "outcomes": outcomes}


def observe(host: LitmusHost, test: Litmus, nr_runs: int, seed: int, live: LiveLine) -> Observed:
    """Run one test, and enumerate what SC and TSO allow."""
    seconds, outcomes = host.run(test, nr_runs, seed, live)
    sc, tso = (final_states(test.threads, test.initial, model) for model in ("sc", "tso"))
    return Observed(test, nr_runs, seconds, outcomes, None if sc is None else frozenset(sc), None if tso is None else frozenset(tso))


def execute(options: LitmusRealOptions, out: TextIO = sys.stderr) -> int:
    """Run every test on this host's processors, print a histogram for each, write the JSON; returns the exit code.

    Raises      HostError, LostThreadError
    """
    from stress.process.build import build_entries, entries_of

    require_processors(options.tests)
    arm64 = PROCESSORS[platform.machine()] == "arm64"
    if arm64:
        print("this is arm64: outcomes that TSO forbids are allowed here, and are reported as such", flush=True)
    build_entries(entries_of(["stress.litmus.rounds"]), out)
    host, live = LitmusHost(), LiveLine(out)
    seen: list[Observed] = []
    interrupted = False
    try:
        for test in options.tests:
            observed = observe(host, test, options.runs, options.seed, live)
            seen.append(observed)
            print("\n".join(describe(observed)), flush=True)
    except KeyboardInterrupt:
        interrupted = True
        live.clear()
    forbidden = [observed.test.name for observed in seen if observed.count(observed.is_forbidden)]
    relaxed = [f"{each.test.name} ({each.count(each.is_relaxed):,})" for each in seen if each.count(each.is_relaxed)]
    judged = f"TSO forbids outcomes of {', '.join(forbidden)}" if forbidden else "no outcome that TSO forbids"
    print(f"{len(seen)} tests, {sum(each.nr_runs for each in seen):,} runs: {judged}")
    print(f"outcomes that need a store buffer: {', '.join(relaxed) or 'none; these runs met too rarely to show any'}", flush=True)
    written = {
        "schema": SCHEMA,
        "host": describe_host(),
        "seed": options.seed,
        "interrupted": interrupted,
        "tests": [to_json(each) for each in seen],
    }
    unwritten = write_report(options.json, written)
    if interrupted:
        return EXIT_INTERRUPTED
    return EXIT_VIOLATED if forbidden and not arm64 else unwritten
