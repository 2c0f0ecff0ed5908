"""The order within a round, and a value under two names: the measured values do not differ, so every difference is noise of the host."""

import random
from collections.abc import Sequence

_AGAIN = " again"


def names_of(values: Sequence[str], twin: str | None) -> dict[str, str]:
    """Name in a table -> measured value: each value under its own name, or `twin` alone under two."""
    return {value: value for value in values} if twin is None else {twin: twin, f"{twin}{_AGAIN}": twin}


def in_turn(names: Sequence[str]) -> list[str]:
    """The values of one round in random order.

    A fixed or alternating order can favour one value in every round: of three values the middle one is never first. If the values do not
    differ, a round's ratio in random order is as likely above 1 as below it, independently of other rounds, even if noise comes in bursts.
    """
    return random.sample(names, len(names))
