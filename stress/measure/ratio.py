"""Medians, ratios of paired rounds, and their exact confidence intervals.

The ends of an interval are two of the sorted numbers. Each number is as likely below the median as above it, so coverage is a sum of
binomial coefficients: exact for every continuous distribution, at least as large for the others. Few numbers cannot give 95 %; an interval
states the coverage that it has.

Source      David and Nagaraja, Order Statistics (2003), section 7.1
"""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.95


@functools.cache
def _tails(nr_rounds: int) -> tuple[float, ...]:
    """For k below half the rounds: the probability that at most k of them are below their median."""
    orders = itertools.accumulate(math.comb(nr_rounds, k) for k in range((nr_rounds + 1) // 2))
    return tuple(order / 2**nr_rounds for order in orders)


def _nr_outside(nr_rounds: int) -> int:
    """How many rounds an interval leaves out at each end: as many as LEVEL allows."""
    return max(0, sum(2 * tail <= 1 - LEVEL for tail in _tails(nr_rounds)) - 1)


def coverage(nr_rounds: int) -> float:
    """The probability that an interval of so many rounds contains the median: LEVEL or more, less if the rounds are too few for it."""
    return 1 - 2 * _tails(nr_rounds)[_nr_outside(nr_rounds)]


def rounds_for(probability: float) -> int:
    """The fewest rounds whose sign_p() can be as small as this."""
    return 1 + math.ceil(-math.log2(probability))


@dataclass(frozen=True)
class Interval:
    """A median with an interval, and the probability that such an interval contains the true median."""

    median: float
    low: float
    high: float
    coverage: float


def interval(values: npt.ArrayLike) -> Interval:
    """The median of some rounds and its interval, of LEVEL or what the rounds can give.

    Raises      ValueError if there are no rounds
    """
    rounds = np.sort(np.asarray(values, dtype=np.float64))
    if rounds.size == 0:
        raise ValueError("an interval of no rounds")
    outside = _nr_outside(rounds.size)
    return Interval(float(np.median(rounds)), float(rounds[outside]), float(rounds[-1 - outside]), coverage(rounds.size))


def sign_p(ratios: npt.NDArray[np.float64]) -> float:
    """The two-sided sign test of ratios against 1: 1 - the coverage of the widest interval of this kind that still excludes 1."""
    other_side = int(min((ratios <= 1).sum(), (ratios >= 1).sum()))
    tails = _tails(ratios.size)
    return 2 * tails[other_side] if other_side < len(tails) else 1.0


@dataclass(frozen=True)
class Figure:
    """One measured quantity under each value of a policy: a cost, unless `more_is_better`.

    Fields      name; unit; rounds: value of the policy -> one number a round, taken within the same second
    """

    name: str
    unit: str
    rounds: dict[str, list[float]]
    more_is_better: bool = False

    def median(self, value: str) -> float:
        return float(np.median(self.rounds[value]))

    def ratios(self, value: str, base: str) -> npt.NDArray[np.float64] | None:
        """`value` over `base`, round by round; None where the base was zero in some round."""
        ours, theirs = np.array(self.rounds[value]), np.array(self.rounds[base])
        return ours / theirs if (theirs > 0).all() else None

    def ratio(self, value: str, base: str) -> Interval | None:
        """The median of the rounds' ratios; None where the base was zero in some round."""
        ratios = self.ratios(value, base)
        return None if ratios is None else interval(ratios)

    def contradicts_medians(self, value: str, base: str) -> bool:
        """Whether the median of the rounds' ratios and the quotient of the two medians are on different sides of 1."""
        ratio = self.ratio(value, base)
        return ratio is not None and (ratio.median - 1) * (self.median(value) - self.median(base)) < 0


def in_order(rounds: dict[str, list[float]], values: tuple[str, ...]) -> dict[str, list[float]]:
    """The rounds in the order in which a table shows the values."""
    return {value: rounds[value] for value in values}
