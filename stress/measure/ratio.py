"""Medians, their ratio, and its confidence interval: the paired bootstrap over rounds.

Source      Efron and Tibshirani, An Introduction to the Bootstrap (1993), the percentile interval
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NR_RESAMPLES = 10_000
_SEED = 1  # the same rounds give the same interval


@dataclass(frozen=True)
class Interval:
    """A median with its 95 % bootstrap interval."""

    median: float
    low: float
    high: float


def interval(values: npt.ArrayLike) -> Interval:
    """The median of some rounds and its 95 % bootstrap interval.

    Raises      ValueError if there are no rounds
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("an interval of no rounds")
    draws = np.random.default_rng(_SEED).integers(array.size, size=(NR_RESAMPLES, array.size))
    low, high = np.percentile(np.median(array[draws], axis=1), [2.5, 97.5])
    return Interval(float(np.median(array)), float(low), float(high))


@dataclass(frozen=True)
class Figure:
    """One measured quantity under each value of a policy: a cost, unless `more_is_better`.

    Fields      name; unit; rounds: value of the policy -> one number a round, taken within the same second
    """

    name: str
    unit: str
    rounds: dict[str, list[float]]
    more_is_better: bool = False

    def ratio(self, value: str, base: str) -> Interval | None:
        """`value` over `base`, round by round; None where the base was zero in some round."""
        ours, theirs = np.array(self.rounds[value]), np.array(self.rounds[base])
        return interval(ours / theirs) if (theirs > 0).all() else None

    def shown(self, value: str, base: str) -> str:
        """What the interval of the ratio shows, in words."""
        ratio = self.ratio(value, base)
        if ratio is None:
            return "no base"
        if ratio.low <= 1 <= ratio.high:
            return "no difference shown"
        better = value if (ratio.median > 1) == self.more_is_better else base
        return f"{better} better"


def in_order(rounds: dict[str, list[float]], values: tuple[str, ...]) -> dict[str, list[float]]:
    """The rounds in the order in which a table shows the values."""
    return {value: rounds[value] for value in values}
