"""Deaths, stops and stalls of real processes that stand for workers, and what a diagnosis says of the machine's words."""

import os
import signal
import time

import pytest

from kernels.base.layout import EXIT_BUG, Bug, Geometry
from stress.machine.segment import create_machine
from stress.process.child import fork_child
from stress.storm import watch as module
from stress.storm.scene import read_bugs
from stress.storm.watch import Watch, cpu_time_ns, process_state

SMALL = Geometry(nr_cpus=3, frames_per_node=512, words_per_frame=8, nr_tasks=4, task_pages=64, table_pages=16, nr_files=3, file_pages=16)


@pytest.fixture
def mem():
    return create_machine(SMALL, {})


def test_diagnosis_names_role_locks_and_owners(mem):
    mem.arrays["cpu_role"][1] = 1
    mem.arrays["lock_word"][[0, 3]] = [3, 2]  # zone 0 owned by worker 2, an lru lock by worker 1
    mem.arrays["cpu_waits"][[1, 2]] = [1, 4]  # worker 1 waits for zone 0, worker 2 for that lru lock
    lines = Watch(mem, [], ["anon", "kernel"]).diagnose(1)
    assert lines[0].startswith("worker 1 ran role kernel")
    assert lines[1:] == [
        "worker 1 waited for the zone lock of node 0, owned by worker 2",
        "worker 1 held file lru lock of node 0",
        "waiting for worker 1: worker 2",
    ]


def test_bug_records_become_violations(mem):
    assert read_bugs(mem) == []
    mem.arrays["bug_count"][0] = 9  # more than there is room for
    for field, word in {"bug_code": int(Bug.BAD_FREE), "bug_cpu": 2, "bug_pfn": 77, "bug_seen": 5, "bug_wanted": 6}.items():
        mem.arrays[field][0] = word
    first = read_bugs(mem)[0]
    assert (first.invariant, first.checker, first.pfn, first.cpus) == ("I8", "bug:BAD_FREE", 77, (2,))
    assert first.words == {"flags": 5, "mapcount": 6}


def test_states_and_times_of_processes():
    assert process_state(os.getpid()) == "R"
    assert cpu_time_ns(os.getpid()) > 0
    assert process_state(1 << 30) == ""
    assert cpu_time_ns(1 << 30) == 0


def test_a_wait_for_a_folio_lock_is_in_the_diagnosis(mem):
    """A folio's lock is a bit, numbered above all spin locks; it has no room for its owner."""
    mem.arrays["cpu_waits"][1] = len(mem.arrays["lock_word"]) + 7 + 1
    watch = Watch(mem, [], ["anon", "kernel"])
    assert "worker 1 waited for the folio lock of descriptor 7, owner unknown" in watch.diagnose(1)
    assert not any("waiting for" in line for line in watch.diagnose(0))


# ------------------------------------------------------------------------------------------------------------- real processes

forks = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # pytest-timeout has a thread


class Worker:
    """A child that waits until it is let go, then does one thing and ends."""

    def __init__(self, act=lambda: None):
        self._reading, self._writing = os.pipe()
        self.pid = fork_child(lambda: (os.read(self._reading, 1), act()), "a worker")

    def let_go(self):
        os.write(self._writing, b"!")

    def has_ended(self):
        return process_state(self.pid) in ("Z", "")

    def close(self):
        for descriptor in (self._reading, self._writing):
            os.close(descriptor)
        if process_state(self.pid):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@pytest.fixture
def start():
    workers = []

    def start(*acts):
        workers.extend(Worker(act) for act in acts)
        return workers

    yield start
    for worker in workers:
        worker.close()


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def leave(status):
    raise SystemExit(status)


def kill_self():
    os.kill(os.getpid(), signal.SIGKILL)


def watch_of(mem, workers):
    return Watch(mem, [worker.pid for worker in workers], ["anon"])


def looks(watch, seconds):
    """What a watch finds within some seconds, looking as often as the supervisor does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (loss := watch.look()) is not None:
            return loss
        time.sleep(0.01)
    return None


@pytest.mark.parametrize(("look", "lost"), [(Watch.look, True), (lambda watch: watch.look(expect_exit=True), False)])
@pytest.mark.slow
@forks
def test_an_exit_with_0_is_a_loss_unless_workers_are_stopping(mem, start, look, lost):
    workers = start(lambda: None)
    watch = watch_of(mem, workers)
    assert look(watch) is None
    workers[0].let_go()
    wait_until(workers[0].has_ended)
    loss = look(watch)
    assert (loss and loss.summary()) == (f"worker 0 (pid {workers[0].pid}) exited with status 0" if lost else None)
    assert watch.alive == {}


@pytest.mark.parametrize("violator", [0, 1])
@pytest.mark.slow
@forks
def test_of_several_losses_the_broken_invariant_is_reported(mem, start, violator):
    """Whichever of the two is reaped first."""
    workers = start(*(lambda: leave(EXIT_BUG), kill_self)[:: -1 if violator else 1])
    mem.arrays["halt"][0] = 1
    for worker in workers:
        worker.let_go()
        wait_until(worker.has_ended)
    loss = watch_of(mem, workers).look()
    assert (loss.verdict, loss.cpu, loss.how) == ("violated", violator, "broke an invariant")


@pytest.mark.slow
@forks
def test_status_86_of_a_machine_that_is_not_halted_is_a_death(mem, start):
    workers = start(lambda: leave(EXIT_BUG))
    workers[0].let_go()
    wait_until(workers[0].has_ended)
    assert watch_of(mem, workers).look().verdict == "died"


@pytest.mark.slow
@forks
def test_a_stop_that_does_not_last_is_no_loss_and_one_that_lasts_is(mem, start, monkeypatch):
    workers = start(lambda: None)
    watch = watch_of(mem, workers)
    monkeypatch.setattr(module, "_STOP_CONFIRM_S", 60.0)
    os.kill(workers[0].pid, signal.SIGSTOP)
    wait_until(lambda: process_state(workers[0].pid) == "T")
    assert looks(watch, 0.1) is None
    os.kill(workers[0].pid, signal.SIGCONT)
    wait_until(lambda: process_state(workers[0].pid) == "S")
    monkeypatch.setattr(module, "_STOP_CONFIRM_S", 0.35)
    assert looks(watch, 0.4) is None
    os.kill(workers[0].pid, signal.SIGSTOP)
    assert looks(watch, 0.1) is None, "the second stop lasts from its own beginning"
    loss = looks(watch, 10)
    assert (loss.verdict, loss.how) == ("stalled", "was stopped by a signal (state T)")


def spin():
    while True:
        pass


@pytest.mark.slow
@forks
def test_a_stall_is_measured_in_the_time_that_a_worker_ran(mem, start, monkeypatch):
    monkeypatch.setattr(module, "STALL_CPU_NS", 100_000_000)
    monkeypatch.setattr(module, "_LOOK_INTERVAL_S", 0.01)
    workers = start(spin, spin)
    watch = watch_of(mem, workers)
    assert looks(watch, 0.5) is None, "both sleep"
    workers[1].let_go()
    loss = looks(watch, 60)
    assert (loss.verdict, loss.cpu) == ("stalled", 1)
    assert loss.how.endswith(" s of its own CPU time")


@pytest.mark.slow
@forks
def test_a_worker_that_finishes_batches_or_was_parked_has_not_stalled(mem, start, monkeypatch):
    monkeypatch.setattr(module, "STALL_CPU_NS", 100_000_000)
    monkeypatch.setattr(module, "_LOOK_INTERVAL_S", 0.0)
    workers = start(spin)
    workers[0].let_go()
    watch = watch_of(mem, workers)

    def finish_batch():
        mem.arrays["cpu_batches"][0] += 1

    for forget in (finish_batch, watch.forget_progress):
        began_ns = cpu_time_ns(workers[0].pid)
        while cpu_time_ns(workers[0].pid) - began_ns < 300_000_000:
            assert watch.look() is None
            forget()
            time.sleep(0.01)
