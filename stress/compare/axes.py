"""The axes of a comparison: the names of their values, and the policies that each value sets."""

from collections.abc import Sequence
from dataclasses import dataclass

from kernels.base.layout import POLICIES
from stress.compare.turns import names_of
from stress.compare.windows import BATCH, BATCHINGS
from stress.errors import UserError


@dataclass(frozen=True)
class ComparedAxis:
    """A policy, or the axis of batches. `twin`: the one value that is compared with itself; None: all values are compared."""

    name: str
    twin: str | None = None

    def __str__(self) -> str:
        return self.name if self.twin is None else f"{self.name}={self.twin}"

    def settings(self) -> dict[str, dict[str, str]]:
        """Name of a value -> the policies that it sets."""
        values = _axes()[self.name]
        return {name: values[value] for name, value in names_of(tuple(values), self.twin).items()}


def _axes() -> dict[str, dict[str, dict[str, str]]]:
    """Every axis: the names of its values, and the policies that each value sets."""
    axes = {name: {value: {name: value} for value in values} for name, values in POLICIES.items() if len(values) > 1}
    axes["offline"] = {value: each | {"balloon_order": "0"} for value, each in axes["offline"].items()}  # blocks of one size under all
    batchings = {value: {key: str(number) for key, number in each.items()} for value, each in BATCHINGS.items()}
    return axes | {BATCH: batchings}


def axes_of(words: Sequence[str]) -> tuple[ComparedAxis, ...]:
    """The axes of these words, NAME or NAME=VALUE, or all of them.

    Raises      UserError
    """
    comparable = _axes()
    chosen = []
    for word in words:
        name, given, twin = word.partition("=")
        if name not in comparable:
            raise UserError(f"--axis {word}: there is nothing to compare; axes: {', '.join(comparable)}")
        if given and twin not in comparable[name]:
            raise UserError(f"--axis {word}: no such value of {name}; values: {', '.join(comparable[name])}")
        chosen.append(ComparedAxis(name, twin if given else None))
    return tuple(dict.fromkeys(chosen)) or tuple(map(ComparedAxis, comparable))
