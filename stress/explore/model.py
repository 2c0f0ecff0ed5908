"""What a model is: a small machine, what each of its CPUs does, what must hold at the end. The models are in stress/explore/models."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kernels.base.layout import COUNTER, PARAM, Geometry
from kernels.base.points import MAX_TASKS
from stress.explore.linearizability import Oracle

#: parameters of a machine for exploration: per-CPU lists fill and drain within a few calls, and nothing waits for time to pass
PARAMS = {
    "pcp_high": 4,
    "pcp_batch": 2,
    "spin_yield": 4,
    "tracing": 0,
    "cycles_per_us": 1000,
    "anon_pages": 12,
    "kernel_target": 1,
    "balloon_target": 1,
    "max_order_anon": 1,
    "numa_rate_limit": 1 << 40,
    "shadow_on": 1,
    "seed": 1,
}


def small_geometry(nr_cpus: int, **sizes: int) -> Geometry:
    """A machine of a handful of frames; `sizes` as layout.Geometry takes them."""
    small = {
        "nr_nodes": 1,
        "frames_per_node": 32,
        "pageblock_order": 3,
        "words_per_frame": 4,
        "nr_tasks": 1,
        "task_pages": 16,
        "table_pages": 16,
        "nr_files": 1,
        "file_pages": 8,
    }
    return Geometry(nr_cpus=nr_cpus, **(small | sizes))


@dataclass(frozen=True)
class Model:
    """One model.

    name        as the command names it; the file is called the same, with underscores
    summary     one line: which protocol, and what meets what
    protocol    what it is about: sections of docs/protocols.md; ids of docs/invariants.md
    geometry    the machine; every CPU of it runs `steps`
    prepare     kernel (mem, cpu) -> 0, on CPU 0 alone, after boot: makes the state in which every schedule begins
    steps       kernel (mem, cpu) -> a result that belongs to the final state
    check       kernel (mem, cpu) -> 0, on CPU 0 alone, after all CPUs have ended: calls bug() if something does not hold
    params      of the machine, beside or in place of PARAMS
    meetings    counters (layout.COUNTERS) that must have moved, or exploring proved little
    breaks      which of Linux's conditions it drops, if it is the other side of an open question: it must be violated, and is explored
                only by name
    at_rest     whether the checkers of stress/checkers judge final states: not if the machine is not at rest at the end
    oracle      that judges the history of every schedule, if the CPUs record one (models/_history.py)
    """

    name: str
    summary: str
    protocol: str
    geometry: Geometry
    prepare: Callable[..., Any]
    steps: Callable[..., Any]
    check: Callable[..., Any]
    params: dict[str, int] = field(default_factory=dict)
    meetings: tuple[str, ...] = ()
    breaks: str = ""
    at_rest: bool = True
    oracle: Oracle | None = None

    def __post_init__(self) -> None:
        """Refuse what no engine could run.

        Raises      ValueError
        """
        if not 1 <= self.nr_cpus <= MAX_TASKS:
            raise ValueError(f"model {self.name}: {self.nr_cpus} CPUs; 1 to {MAX_TASKS} are possible")
        if unknown := set(self.params) - set(PARAM):
            raise ValueError(f"model {self.name}: there is no parameter {', '.join(sorted(unknown))}")
        if unknown := set(self.meetings) - set(COUNTER):
            raise ValueError(f"model {self.name}: there is no counter {', '.join(sorted(unknown))}")

    @property
    def nr_cpus(self) -> int:
        return self.geometry.nr_cpus

    @property
    def is_judged(self) -> bool:
        """Whether final states are judged."""
        return self.at_rest or self.oracle is not None

    @property
    def module(self) -> str:
        """The module of its kernels."""
        return str(self.steps.__module__)
