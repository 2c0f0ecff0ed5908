"""The universal scalability law: throughput by the number of CPUs.

X(n) = speed * n / (1 + sigma (n - 1) + kappa n (n - 1)); sigma is the share of an operation that waits for others (contention), kappa what
it costs to agree with each other CPU (coherency).

Points at one and two CPUs determine speed and sigma + 2 kappa, not how that divides: then the division is drawn evenly, and the interval
spans it.

Source      Gunther, A General Theory of Computational Scalability Based on Rational Functions, arXiv:0808.1431 (2008)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NR_DRAWS = 200
LEVEL = 0.95


def throughput(nr_cpus: npt.ArrayLike, speed: float, sigma: float, kappa: float) -> npt.NDArray[np.float64]:
    """The law: operations per unit of time by so many CPUs."""
    n = np.asarray(nr_cpus, dtype=np.float64)
    return speed * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


@dataclass(frozen=True)
class ScalabilityLaw:
    """Parameters of the law, each a draw of the bootstrap: (speed, sigma, kappa)."""

    draws: tuple[tuple[float, float, float], ...]

    def interval(self, nr_cpus: int) -> tuple[float, float, float]:
        """(low, median, high) of the throughput, at LEVEL."""
        values = [float(throughput(nr_cpus, *draw)) for draw in self.draws]
        low, middle, high = np.quantile(values, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
        return float(low), float(middle), float(high)


def _least_squares(nr_cpus: Sequence[int], rates: Sequence[float], split: float) -> tuple[float, float, float]:
    """The parameters for some points; `split`: the share of the loss at two CPUs that is kappa's, if there are no more points."""
    if len(nr_cpus) < 3:
        speed = rates[0] / nr_cpus[0]
        loss = max(0.0, speed * nr_cpus[1] / rates[1] - 1) / (nr_cpus[1] - 1) if len(nr_cpus) > 1 else 0.0
        return speed, loss * (1 - split), loss * split / nr_cpus[-1]
    from scipy.optimize import curve_fit

    start = (rates[0] / nr_cpus[0], 0.05, 0.001)
    found, _ = curve_fit(throughput, nr_cpus, rates, p0=start, sigma=rates, bounds=([0, 0, 0], [np.inf, np.inf, np.inf]))
    return float(found[0]), float(found[1]), float(found[2])


def fit(rounds: Mapping[int, Sequence[float]], seed: int = 1) -> ScalabilityLaw:
    """The law for measured throughputs, with the bootstrap over the rounds.

    Parameters  rounds: number of CPUs -> throughputs, 1 CPU among them
    Raises      ValueError if there are no rounds
    """
    if not rounds or not all(rounds.values()):
        raise ValueError("the law of no rounds")
    rng, counts = np.random.default_rng(seed), sorted(rounds)
    draws = []
    for _ in range(NR_DRAWS):
        rates = [float(np.median(rng.choice(np.asarray(rounds[n]), len(rounds[n])))) for n in counts]
        draws.append(_least_squares(counts, rates, float(rng.random())))
    return ScalabilityLaw(tuple(draws))
