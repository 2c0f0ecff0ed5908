"""What slices of a shared host tell: a figure's ratio to its calibration, its cost in the host's fast mode, and how much was slow.

A shared host alternates between two modes, in bursts of a tenth of a second to minutes, most likely because another hardware thread of
the same core is busy or not. A mean or a median of nanoseconds follows the share of time in each mode. Beside that, a process can be
slow as a whole: its stack and its code are at other addresses than another's, and lines evict each other. What depends on neither:

the ratio   of a figure to a calibration of the same character, slice by slice, alternating faster than the modes change: a low percentile
            of the slices in the fast mode, of several processes. It needs a fifth of the slices to be undisturbed. Where the fast mode
            was not met, of all slices: it is right as far as the slow mode slows both of them alike.
the cost    in the fast mode: a low percentile of its slices.

The fast mode is known by its calibration: the fastest that this host has shown. Where the fastest of this measurement is far above what
the host has shown before, it met only the slow mode.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: a slice is in the slow mode if its calibration takes so many times the fast mode's; the slow mode takes 1.4 to 1.7 times
SLOW = 1.2
#: the percentile that stands for the fast mode of a calibration: few slices are faster, by accidents of the clock
FAST_PERCENTILE = 5
#: of the slices' ratios: above the few that are low by accident, below those of processes and moments in which the cell was disturbed
RATIO_PERCENTILE = 20
#: fewer fast slices than this say nothing about the fast mode
LEAST_FAST = 3

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Slices:
    """Slices of one cell, in ns per operation: the cell's, those of its calibration in the same slices, and which process took each."""

    cell_ns: Floats
    calibration_ns: Floats
    process: npt.NDArray[np.int64]

    @classmethod
    def of(cls, processes: Sequence[Floats]) -> "Slices":
        """From each process an array of pairs: ns of the cell, ns of its calibration."""
        pairs = np.concatenate(processes)
        return cls(pairs[:, 0], pairs[:, 1], np.repeat(np.arange(len(processes)), [len(each) for each in processes]))

    def __post_init__(self) -> None:
        if self.cell_ns.shape != self.calibration_ns.shape or self.cell_ns.size == 0:
            raise ValueError(f"{self.cell_ns.size} slices of a cell, {self.calibration_ns.size} of its calibration")


@dataclass(frozen=True)
class Calibrated:
    """What is stored of one cell.

    Fields      ratio: calibrations per operation
                cost_ns: ns per operation in the fast mode; NaN if only the slow one was met
                slow_share: of slices in the slow mode
                spread: half the distance of the ratio's quartiles over their median, for a reader
    """

    ratio: float
    cost_ns: float
    slow_share: float
    spread: float


def fast_ns(calibration_ns: Floats, known_ns: float | None = None) -> float:
    """The fast mode's ns per operation of a calibration.

    Parameters  calibration_ns: all of its slices, of every cell; known_ns: the fast mode that this host has shown before, if any
    """
    here = float(np.percentile(calibration_ns, FAST_PERCENTILE))
    return here if known_ns is None else min(here, known_ns)


def calibrated(slices: Slices, fast_calibration_ns: float) -> Calibrated:
    """The figures of one cell.

    Parameters  fast_calibration_ns: fast_ns() of its calibration
    """
    ratios = slices.cell_ns / slices.calibration_ns
    is_slow = slices.calibration_ns > SLOW * fast_calibration_ns
    fast = ~is_slow if (~is_slow).sum() >= min(LEAST_FAST, is_slow.size) else None
    chosen = ratios if fast is None else ratios[fast]
    low, ratio, middle, high = np.percentile(chosen, (25, RATIO_PERCENTILE, 50, 75))
    cost_ns = float("nan") if fast is None else float(np.percentile(slices.cell_ns[fast], FAST_PERCENTILE))
    return Calibrated(float(ratio), cost_ns, float(is_slow.mean()), float((high - low) / 2 / middle))
