"""What a role is: one kind of operation that a worker repeats. Each file of stress/roles has one record."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Role:
    """One worker role.

    name     its name in scenarios and reports
    summary  one line for `pfnstorm list roles`
    step     the kernel (mem, cpu) -> result >= 0, or a negated errno, which counts as a failure
    weight   its share in a scenario that gives no weights
    needs    what a machine must have for it, in words; empty: nothing special
    """

    name: str
    summary: str
    step: Callable[..., Any]
    weight: float = 1.0
    needs: tuple[str, ...] = ()
