"""Worker processes that die, and one whose model never begins."""

import io
import os
import signal

import pytest

from tests.stress.explore.flavours import explored

pytestmark = explored


def test_a_worker_that_dies_between_two_blocks_is_missed():
    from stress.explore.workers import Block, LostWorkerError, workers
    from tests.stress.explore.bounds_model import MODEL

    with workers([MODEL], 1) as (worker,):
        os.kill(worker.pid, signal.SIGKILL)
        os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(LostWorkerError, match="explore bounds was killed by SIGKILL"):
            worker.start(Block("bounds", "sc", "random", 1, 0, 1, None))


def test_a_worker_that_fails_says_so_and_none_is_left(capfd):
    from stress.explore.workers import Block, LostWorkerError, workers
    from tests.stress.explore.bounds_model import MODEL

    with workers([MODEL], 2) as made:
        pids = [worker.pid for worker in made]
        made[0].start(Block("no-such-model", "sc", "random", 1, 0, 1, None))
        with pytest.raises(LostWorkerError, match="explored no-such-model failed: see its message above"):
            made[0].receive("no-such-model")
        assert "KeyError" in capfd.readouterr().err
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_worker_answers_blocks_and_keeps_its_engine():
    from stress.explore.workers import Block, ModelCompiled, workers
    from tests.stress.explore.bounds_model import MODEL
    from tests.stress.explore.livelock_model import MODEL as LIVELOCK

    with workers([MODEL, LIVELOCK], 1) as (worker,):
        for model, verdict, is_new in (
            ("bounds", "out-of-bounds", True),
            ("bounds", "out-of-bounds", False),
            ("livelock", "livelock", True),
        ):
            worker.start(Block(model, "sc", "random", 1, 0, 100, None))
            if is_new:
                assert isinstance(worker.receive(model), ModelCompiled)
            tally = worker.receive(model)
            assert (tally.failure.model, tally.failure.found.verdict, tally.nr_run) == (model, verdict, 1)
        assert not worker.is_stopped
        os.kill(worker.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, worker.pid, os.WSTOPPED)
        assert worker.is_stopped


def test_a_worker_whose_model_never_begins_is_given_up(tmp_path, monkeypatch):
    from stress.explore import dealing
    from stress.explore.command import ExploreOptions, execute
    from stress.explore.workers import LostWorkerError
    from tests.stress.explore.bounds_model import SPINNING

    monkeypatch.setattr(dealing, "_SILENT_S", 1.0)
    options = ExploreOptions((SPINNING,), ("random",), "sc", 1.0, None, 1, 1, None, tmp_path)
    with pytest.raises(LostWorkerError, match="explores spinning has sent nothing for 1 s: its preparation"):
        execute(options, io.StringIO())
