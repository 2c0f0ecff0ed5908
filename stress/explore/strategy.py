"""What a strategy is. The records are in stress/explore/strategies, one file each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kernels.base import jit


@jit.kernel
def nothing_begins(s):  # type: ignore[no-untyped-def]
    """Do nothing at the beginning of a schedule."""
    return 0


@jit.kernel
def nothing_ends(s):  # type: ignore[no-untyped-def]
    """Never complete."""
    return False


def unknown_progress(words: Any) -> str:
    """Nothing is known of how much is left."""
    return ""


@dataclass(frozen=True)
class Strategy:
    """One strategy.

    name        as --strategy names it
    summary     one line, with its source
    choose      the kernel (s, mask) -> the task or flush that makes the next step, or -1
    begin, end  kernels (s) around every schedule; `end` -> whether everything was explored
    variants    other names for it with a parameter each; empty: one, with parameter 0
    exhaustive  remembers what it has explored, so it runs in one process, and knows when it is complete
    progress    function of the words -> what is known of how much is left, for people; may be empty
    profiled    needs the counts of random walks (state.PROFILE_STEPS and what follows)
    hidden      not for --strategy
    """

    name: str
    summary: str
    choose: Callable[..., Any]
    begin: Callable[..., Any] = nothing_begins
    end: Callable[..., Any] = nothing_ends
    variants: dict[str, int] = field(default_factory=dict)
    exhaustive: bool = False
    progress: Callable[[Any], str] = unknown_progress
    profiled: bool = False
    hidden: bool = False
