"""How long a group is measured, by the mode of PFNSTORM_BENCH."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """What is measured of a cell.

    Fields      processes: one after the other, since where a process has its stack and its code makes some loops slower
                slices: of each cell in each process at the least; seconds: over which they are spread at the least
                repeats: of a measurement that is no loop: a start, a storm
                part_ns: of a cell in one part of a slice; 0: the usual
    """

    processes: int
    slices: int
    seconds: float
    repeats: int
    part_ns: int = 0


EFFORTS = {
    "tiny": Effort(processes=1, slices=1, seconds=0.0, repeats=1, part_ns=20_000),
    "quick": Effort(processes=2, slices=4, seconds=0.5, repeats=3),
    "default": Effort(processes=5, slices=8, seconds=2.0, repeats=5),
    "full": Effort(processes=9, slices=20, seconds=4.0, repeats=15),
}
