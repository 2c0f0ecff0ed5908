"""Worker processes: each has a machine and an engine of its own, and answers blocks of schedules with tallies."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, Pipe

import psutil

from stress.errors import EXIT_LOST, HostError, PfnstormError, UserError
from stress.explore.compiling import compile_model
from stress.explore.engine import Engine
from stress.explore.model import Model
from stress.explore.session import BlockProgress, Session, StrategyTally
from stress.process.child import fork_child


class LostWorkerError(PfnstormError):
    """A worker died, or was stopped."""

    exit_code = EXIT_LOST


@dataclass(frozen=True)
class Block:
    """A range of schedules of one model under one strategy."""

    model: str
    memory: str
    strategy: str
    seed: int
    first: int
    nr_schedules: int
    seconds: float | None


@dataclass(frozen=True)
class ModelCompiled:
    """A worker has compiled a model, or loaded it from the cache, before its first block of it."""

    seconds: float


class Worker:
    """A forked process, as its parent sees it."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.pipe, theirs = Pipe()
        self.active_at = time.monotonic()  # when it last sent something, or was sent a block
        self.pid = fork_child(partial(self._serve, theirs, models), "a worker")
        theirs.close()

    def _serve(self, pipe: Connection, models: Sequence[Model]) -> None:
        self.pipe.close()
        with suppress(EOFError):  # the parent has closed its end: no more blocks
            serve_blocks(pipe, {model.name: model for model in models})

    def start(self, block: Block) -> None:
        """Send it a block.

        Raises      LostWorkerError if it has died
        """
        try:
            self.pipe.send(block)
        except ConnectionError as error:
            raise LostWorkerError(f"a worker that was to explore {block.model} {self._how_it_died()}") from error
        self.active_at = time.monotonic()

    def receive(self, model: str) -> ModelCompiled | BlockProgress | StrategyTally:
        """What it sends about its block of a model: that the model is compiled, progress, or in the end the tally.

        Raises      LostWorkerError if it has died; UserError or HostError if the model cannot be compiled
        """
        self.active_at = time.monotonic()
        try:
            sent: ModelCompiled | BlockProgress | StrategyTally | PfnstormError = self.pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise LostWorkerError(f"a worker that explored {model} {self._how_it_died()}") from error
        if isinstance(sent, PfnstormError):
            raise sent
        return sent

    def stop(self) -> None:
        self.pipe.close()
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _how_it_died(self) -> str:
        """Reap a worker that has closed its pipe; the reason."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else "failed: see its message above"

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has stopped it: it will not answer."""
        return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)


def serve_blocks(pipe: Connection, models: dict[str, Model]) -> None:
    """Answer blocks, until the pipe is closed. The engine is kept while the model and the memory model are the same."""
    session, key = None, ("", "")
    while True:
        block: Block = pipe.recv()
        if session is None or key != (block.model, block.memory):
            if session is not None:
                session.engine.close()
            session, key = None, (block.model, block.memory)
            try:
                pipe.send(ModelCompiled(compile_model(models[block.model])))
            except (UserError, HostError) as error:
                pipe.send(error)
                return
            session = Session(Engine(models[block.model], block.memory))
        deadline = None if block.seconds is None else time.monotonic() + block.seconds
        pipe.send(session.run_block(block.strategy, block.seed, block.first, block.nr_schedules, deadline, pipe.send))


@contextmanager
def workers(models: Sequence[Model], jobs: int) -> Iterator[list[Worker]]:
    """Start workers; all are stopped when the block ends, for whatever reason."""
    made: list[Worker] = []
    try:
        for _ in range(jobs):
            made.append(Worker(models))  # noqa: PERF401  # those made before one fails are stopped, too
        yield made
    finally:
        for worker in made:
            worker.stop()
