"""What a role is: one thing that a worker does over and over. The records stand in stress/roles, one file each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Role:
    """One worker role.

    name     as scenarios and reports call it
    summary  one line for `pfnstorm list roles`
    step     the kernel (mem, cpu) -> result >= 0, or a negated errno that counts as a failure
    weight   its share in a scenario that names no weights
    needs    what a machine must have for it, as words; empty: nothing special
    """

    name: str
    summary: str
    step: Callable[..., Any]
    weight: float = 1.0
    needs: tuple[str, ...] = ()
