"""The supervisor with real processes that run made-up batches: parking, checks at rest, every ending. No compiled kernel is involved."""

import gc
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from kernels.base.layout import EXIT_ABANDONED, EXIT_BUG, Bug, Geometry
from stress.checkers import Violation
from stress.errors import HostError
from stress.machine.segment import create_machine
from stress.storm import supervisor as module
from stress.storm import watch
from stress.storm.supervisor import MAX_VIOLATIONS, Interrupts, Supervisor
from stress.storm.workers import Plan

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")]  # pytest-timeout has a thread

NR_CPUS = 3
SMALL = Geometry(
    nr_cpus=NR_CPUS, frames_per_node=512, words_per_frame=8, nr_tasks=4, task_pages=64, table_pages=16, nr_files=3, file_pages=16
)
LONG_S = 15.0  # no storm here lasts as long: each is ended by what the test does
SOON_S = 10.0


def calm(mem, cpu, role, nr_ops):
    """A batch that harms nothing."""
    time.sleep(0.001)
    return 0


class Storm:
    """One machine and its supervisor; `pids` are those of all workers that were forked."""

    def __init__(self, monkeypatch):
        self.mem = create_machine(SMALL, {})
        self.at = self.mem.arrays
        self.pids = []
        self.seconds_shown = []
        self._monkeypatch = monkeypatch
        fork = module.fork_worker

        def fork_noted(*given):
            self.pids.append(fork(*given))
            return self.pids[-1]

        monkeypatch.setattr(module, "fork_worker", fork_noted)

    def check_soon(self):
        """Let the first check at rest come after a moment."""
        self._monkeypatch.setattr(module, "FIRST_CHECK_AFTER_S", 0.05)
        self._monkeypatch.setattr(module, "CHECK_INTERVAL_MIN_S", 0.1)

    def run(self, run_batch=calm, seconds=LONG_S, check_all=None, on_ready=lambda: None, interrupts=None, on_start=lambda *_: None):
        plans = [Plan(cpu, (1.0,), sorted(os.sched_getaffinity(0))[0], 1) for cpu in range(NR_CPUS)]
        on_second = lambda *seconds: self.seconds_shown.append(seconds)  # noqa: E731
        supervisor = Supervisor(self.mem, plans, run_batch, ["fake"], check_all, on_second, on_start)
        return supervisor.run(seconds, interrupts or Interrupts(), on_ready)

    def nothing_is_left(self):
        return not any(Path(f"/proc/{pid}").exists() for pid in self.pids)


@pytest.fixture
def storm(monkeypatch):
    storm = Storm(monkeypatch)
    yield storm
    gc.unfreeze()
    assert storm.pids
    assert storm.nothing_is_left()


def is_at_rest(at):
    """Whether every worker is parked, or exits from there (the next generation is even), and finishes no batch meanwhile."""
    before = at["cpu_batches"].copy()
    time.sleep(0.05)
    return bool(np.isin(at["park_request"][0] - at["cpu_parked"], (0, 1)).all()) and np.array_equal(before, at["cpu_batches"])


# ---------------------------------------------------------------------------------------------------- parking and checking


def test_a_storm_ends_after_its_time_with_a_check_at_rest(storm):
    at_rest = []
    ending = storm.run(seconds=0.3, check_all=lambda mem, _give_up: at_rest.append(is_at_rest(storm.at)) or [])
    assert (ending.verdict, ending.loss, ending.interrupted) == ("clean", None, False)
    assert 0.3 <= ending.seconds < SOON_S
    assert at_rest == [True]
    assert ending.nr_checks == 1
    assert (storm.at["cpu_batches"] > 0).all()
    assert len(storm.seconds_shown) == 1


def test_workers_are_parked_before_their_first_batch_until_all_are_ready(storm):
    found = []
    storm.run(seconds=0.1, on_ready=lambda: found.append((is_at_rest(storm.at), storm.at["cpu_batches"].sum())))
    assert found == [(True, 0)]
    assert storm.at["cpu_batches"].sum() > 0


def test_workers_rest_for_a_check_and_continue_after_it(storm):
    storm.check_soon()
    batches, at_rest = [], []

    def check_all(mem, _give_up):
        at_rest.append(is_at_rest(storm.at))
        batches.append(int(storm.at["cpu_batches"].sum()))
        return []

    ending = storm.run(seconds=1.5, check_all=check_all)
    assert ending.nr_checks == len(batches) >= 2
    assert all(at_rest)
    assert batches == sorted(set(batches)), "no batch was finished between two checks"
    assert 0.05 < ending.parked_seconds < ending.seconds
    assert len(storm.seconds_shown) == 2, "one after a second, one at the end"
    assert 1.0 <= storm.seconds_shown[0][0] < storm.seconds_shown[1][0] == ending.seconds


def test_without_checkers_nothing_is_checked(storm):
    storm.check_soon()
    ending = storm.run(seconds=0.3)
    assert (ending.nr_checks, ending.parked_seconds) == (0, 0.0)


def test_a_violation_at_rest_ends_the_storm(storm):
    storm.check_soon()
    ending = storm.run(check_all=lambda mem, _give_up: [Violation("I2", "shadow", pfn) for pfn in range(3 * MAX_VIOLATIONS)])
    assert ending.verdict == "violated"
    assert ending.seconds < SOON_S
    assert ending.nr_checks == 1, "a broken machine is not checked again"
    assert [violation.pfn for violation in ending.violations] == list(range(MAX_VIOLATIONS))


# --------------------------------------------------------------------------------------------------------------- interrupts


def test_an_interrupt_ends_the_storm_and_the_machine_is_still_checked(storm):
    with Interrupts().caught() as interrupts:
        ending = storm.run(check_all=lambda mem, _give_up: [], on_ready=lambda: os.kill(os.getpid(), signal.SIGTERM), interrupts=interrupts)
    assert (ending.verdict, ending.interrupted, ending.nr_checks) == ("interrupted", True, 1)
    assert ending.seconds < SOON_S


def test_an_interrupted_storm_that_is_found_broken_is_violated(storm):
    broken = [Violation("I2", "shadow")]
    with Interrupts().caught() as interrupts:
        ending = storm.run(
            check_all=lambda mem, _give_up: broken, on_ready=lambda: os.kill(os.getpid(), signal.SIGTERM), interrupts=interrupts
        )
    assert (ending.verdict, ending.interrupted) == ("violated", True)


def test_a_check_that_outlasts_the_grace_of_an_interrupt_gives_up_and_is_not_counted(storm):
    def check_all(_mem, give_up):
        os.kill(os.getpid(), signal.SIGTERM)
        while not give_up():
            time.sleep(0.01)
        return []

    with Interrupts().caught() as interrupts:
        ending = storm.run(check_all=check_all, interrupts=interrupts)
    assert (ending.verdict, ending.nr_checks) == ("interrupted", 0)
    assert ending.seconds < SOON_S + module.FIRST_CHECK_AFTER_S


def test_a_second_interrupt_after_a_second_ends_the_program_and_not_sooner(monkeypatch):
    monkeypatch.setattr(module, "_IMPATIENCE_S", LONG_S)
    with Interrupts().caught() as interrupts:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a terminal, make and timeout may all send one
            os.kill(os.getpid(), number)
        assert interrupts.requested
        monkeypatch.setattr(module, "_IMPATIENCE_S", 0.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_come_back_and_an_ignored_hangup_stays_ignored(monkeypatch):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Interrupts().caught() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupts.requested
            assert signal.getsignal(signal.SIGINT) != before[0]
    finally:
        signal.signal(signal.SIGHUP, before[2])
    assert [signal.getsignal(number) for number in numbers] == before


# ------------------------------------------------------------------------------------------------------------------- losses


def leave(status):
    raise SystemExit(status)


def fail():
    raise ValueError("a mistake in a batch")


@pytest.mark.parametrize(
    ("act", "verdict", "how"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "died", "was killed by SIGKILL"),
        (lambda: leave(5), "died", "exited with status 5"),
        (lambda: leave(0), "died", "exited with status 0"),
        (fail, "died", "exited with status 70"),
        (lambda: os.kill(os.getpid(), signal.SIGSTOP), "stalled", "was stopped by a signal (state T)"),
    ],
    ids=["killed", "status", "no status", "exception", "stopped"],
)
def test_a_lost_worker_ends_the_storm(storm, act, verdict, how):
    def batch(mem, cpu, role, nr_ops):
        if cpu == 1:
            act()
        return calm(mem, cpu, role, nr_ops)

    ending = storm.run(batch)
    assert ending.verdict == verdict
    assert ending.loss.summary() == f"worker 1 (pid {storm.pids[1]}) {how}"
    assert ending.loss.details[0].startswith("worker 1 ran role fake")
    assert ending.seconds < SOON_S
    assert ending.violations == []
    assert storm.at["halt"][0] == 1


def test_a_worker_that_computes_without_finishing_a_batch_is_stalled(storm, monkeypatch):
    monkeypatch.setattr(watch, "STALL_CPU_NS", 200_000_000)
    monkeypatch.setattr(watch, "_LOOK_INTERVAL_S", 0.05)

    def batch(mem, cpu, role, nr_ops):
        while cpu == 2:
            pass
        time.sleep(0.001)  # the others sleep: their own time is short
        return 0

    ending = storm.run(batch)
    assert (ending.verdict, ending.loss.cpu) == ("stalled", 2)
    assert "finished no batch in" in ending.loss.how


def record_bug(at, cpu):
    for name, word in {"bug_code": int(Bug.BAD_FREE), "bug_cpu": cpu, "bug_pfn": 77}.items():
        at[name][0] = word
    at["bug_count"][0] = 1
    at["halt"][0] = 1


def test_a_kernel_that_finds_a_broken_invariant_ends_the_storm_as_violated(storm):
    """Also when other workers have left the halted machine before it."""

    def batch(mem, cpu, role, nr_ops):
        if mem.arrays["halt"][0]:
            leave(EXIT_ABANDONED)
        if cpu == 1:
            record_bug(mem.arrays, cpu)
            time.sleep(0.1)  # the others are reaped first
            leave(EXIT_BUG)
        return calm(mem, cpu, role, nr_ops)

    ending = storm.run(batch)
    assert ending.verdict == "violated"
    assert [(violation.checker, violation.pfn, violation.cpus) for violation in ending.violations] == [("bug:BAD_FREE", 77, (1,))]


@pytest.mark.parametrize("halt", [0, 1])
def test_a_worker_that_leaves_as_for_a_bug_without_a_record_died(storm, halt):
    def batch(mem, cpu, role, nr_ops):
        mem.arrays["halt"][0] = halt
        leave(EXIT_BUG)

    assert storm.run(batch).verdict == "died"


def test_a_halted_worker_leaves_by_itself_and_one_that_does_not_is_killed(storm):
    """Worker 1 waits for a lock of the lost worker 0 until the machine is halted; worker 2 never looks."""

    def batch(mem, cpu, role, nr_ops):
        if cpu == 0:
            while (mem.arrays["cpu_waits"][1:] == 0).any():
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGKILL)
        mem.arrays["cpu_waits"][cpu] = 1
        while cpu == 2 or not mem.arrays["halt"][0]:
            time.sleep(0.001)
        mem.arrays["cpu_chaos"][cpu] = 1
        leave(EXIT_ABANDONED)

    ending = storm.run(batch)
    assert (ending.verdict, ending.loss.cpu) == ("died", 0)
    assert storm.at["cpu_chaos"].tolist() == [0, 1, 0]


def test_workers_go_when_the_supervisor_fails(storm):
    with pytest.raises(ZeroDivisionError):
        storm.run(on_ready=lambda: 1 / 0)
    assert len(storm.pids) == NR_CPUS


def test_a_worker_that_cannot_be_started_is_one_line_and_leaves_no_other(storm, monkeypatch):
    fork = module.fork_worker

    def fork_one(*given):
        if storm.pids:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork(*given)

    monkeypatch.setattr(module, "fork_worker", fork_one)
    with pytest.raises(HostError, match=r"^cannot start worker 1: Resource temporarily unavailable: use fewer --workers$"):
        storm.run()
    assert len(storm.pids) == 1


def test_an_interrupt_while_workers_start_ends_the_storm_before_it_begins(storm, monkeypatch):
    interrupts, ready = Interrupts(), []
    fork = module.fork_worker

    def fork_and_interrupt(*given):
        interrupts.requested = True
        return fork(*given)

    monkeypatch.setattr(module, "fork_worker", fork_and_interrupt)
    ending = storm.run(interrupts=interrupts, on_ready=lambda: ready.append(1))
    assert (ending.verdict, ending.seconds, ready) == ("interrupted", 0.0, [])
    assert len(storm.pids) == 1


def test_an_interrupt_ends_a_storm_whose_workers_are_slow_to_park(storm, monkeypatch):
    monkeypatch.setattr(module, "_GRACE_S", 0.1)

    def slow(mem, cpu, role, nr_ops):
        time.sleep(60)
        return 0

    start = time.monotonic()
    look = Supervisor._look

    def look_and_interrupt(self):
        look(self)
        if self._started and not interrupts.requested:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Supervisor, "_look", look_and_interrupt)
    with Interrupts().caught() as interrupts:
        ending = storm.run(slow, interrupts=interrupts)
    assert (ending.verdict, ending.nr_checks) == ("interrupted", 0)
    assert time.monotonic() - start < SOON_S


def test_the_start_of_workers_is_shown(storm):
    shown = []
    storm.run(seconds=0.1, on_start=lambda *numbers: shown.append(numbers))
    assert [started for started, _ in shown[:NR_CPUS]] == [1, 2, 3]
    assert all(parked <= started for started, parked in shown)


def test_the_workers_cpu_time_is_summed(storm):
    def busy(mem, cpu, role, nr_ops):
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            pass
        return 0

    ending = storm.run(busy, seconds=0.5)
    assert 0 < ending.cpu_seconds < 0.5 * NR_CPUS + 1
