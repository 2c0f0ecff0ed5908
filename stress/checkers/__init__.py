"""Checkers at rest, one per file: each reads a machine whose workers are parked, with plain numpy, and verifies some of the invariants
of docs/invariants.md. Of the kernels they import only the layout.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy.typing as npt

from kernels.base.layout import PARAM
from stress import registry
from stress.checkers._view import View

#: the fields of a machine at rest by name, as Memory.arrays or as loaded from a file; the header is one of them
Arrays = Mapping[str, npt.NDArray[Any]]


def param(arrays: Arrays, name: str) -> int:
    """A scalar parameter of the machine (layout.PARAMS), from its header."""
    return int(arrays["header"][PARAM[name]])


@dataclass(frozen=True)
class Violation:
    """One broken invariant: its frame and CPUs if there are any, a message, the words that prove it, and its scene (storm/scene.py)."""

    invariant: str
    checker: str
    pfn: int = -1
    cpus: tuple[int, ...] = ()
    words: dict[str, int] = field(default_factory=dict)
    message: str = ""
    scene: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {
            "invariant": self.invariant,
            "checker": self.checker,
            "pfn": int(self.pfn),
            "cpus": [int(cpu) for cpu in self.cpus],
            "words": {name: int(word) for name, word in self.words.items()},
            "message": self.message,
            "scene": list(self.scene),
        }


@dataclass(frozen=True)
class Checker:
    """The record that each file of this folder has."""

    name: str
    invariants: tuple[str, ...]
    summary: str
    check: Callable[[Arrays], list[Violation]]


@cache  # of modules, which do not change
def all_checkers() -> dict[str, Checker]:
    """Every checker by its file's name."""
    return registry.scan(sys.modules[__name__], Checker)


def check_all(mem: Any, give_up: Callable[[], bool] = lambda: False) -> list[Violation]:
    """The violations that all checkers find in a Memory at rest: all workers are parked or have exited.

    Parameters  give_up: asked before each checker; if it says so, the rest are left out
    """
    view = View(mem.arrays)  # decoded once for all of them
    found: list[Violation] = []
    for checker in all_checkers().values():
        if give_up():
            break
        found += checker.check(view)
    return found
