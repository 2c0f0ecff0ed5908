"""The hot paths beside their twins in C, as ratios: python -m stress.measure.against_c [--rounds N] [--slice MS] [--json PATH].

A shared host changes its speed by up to a factor of two, in bursts of a tenth of a second and more, and loops of many independent
instructions lose more than those that wait for one atomic after the other. So each round times a path and its twin in slices of some
milliseconds, one right after the other, in alternating order, and the verdict is on the median of the rounds' ratios with its exact
interval: the upper end of a cost's, the lower end of a speed-up's. Both sides run in pinned processes that have mapped and touched their
memory, in huge pages where the kernel grants them, warm up, stop when the first one is done, and measure their own CPU time.

Exit codes  0 within the bounds, 1 not, 4 no C compiler
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # processes are forked below
os.environ["PFNSTORM_FLAVOUR"] = "fast"  # the flavour of --check none

from stress.errors import HostError, UserError
from stress.io.json_report import check_json_path, write_report
from stress.machine.host import describe_host, usable_cpus
from stress.measure.limits import CProgram
from stress.measure.ratio import interval
from stress.measure.slices import MODULES, SlicedKernels
from stress.process import build

SCHEMA = "pfnstorm-against-c/2"
ROUNDS, SLICE_MS = 60, 20
RATIO_NOTE = "ratio: the median of the rounds' ratios, with its interval; it is not the quotient of the two medians"
BOTH = "01"
#: a frame is allocated and freed in 10 ns at most where a hot get + put takes 4.8
PAIR_OF_PAIRS = 10 / 4.8


class Cost(NamedTuple):
    """A path that has a twin: what the table calls it, its name in limits.c, its workers, and the most that it may be of its twin."""

    what: str
    name: str
    most: float | None
    workers: str = "0"


COSTS = (
    Cost("get + put, hot", "hot", 1.08),
    Cost("get + put, random over 64 MiB", "random", 1.10),
    Cost("the same, testing whether it was the last", "random_tested", 1.10),
    Cost("get + put, two workers on one word", "contended", 1.10, BOTH),
    Cost("allocate + free, per-CPU list", "alloc", 1.25),
    Cost("allocate + free, 4,096 in bulk", "bulk", 1.25),
    Cost("visit a bit, 512 of 512 set", "bits_512", 1.20),
    Cost("visit a bit, 256 of 512 set", "bits_256", 1.20),
    Cost("visit a bit, 51 of 512 set", "bits_51", 1.20),
    Cost("visit a bit, 8 of 512 set", "bits_8", 1.20),
    # no bound: a link is an index, as everywhere in the segment, and its shift delays the next load (C follows pointers)
    Cost("walk of a list, first level of cache", "list_hot", None),
    Cost("walk of a list, second level of cache", "list_mid", None),
    Cost("walk of a list, at random over 64 MiB", "list_cold", 1.10),
    Cost("copy of 4 KiB, at random over 256 MiB", "copy", 1.10),
)
#: paths that two workers walk on disjoint words, and the least that they may do together, in terms of one
SPEED_UPS = (("get + put, hot", "hot", 1.9), ("allocate + free, per-CPU list", "alloc", 1.9))


class BoundVerdict(NamedTuple):
    """One line of the table: the medians of both, the median that is judged, its interval and coverage, and the bound of the interval."""

    name: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    coverage: float
    bound: str
    passed: bool


class Program(Protocol):
    """What answers with the ns per operation of one slice: CProgram and SlicedKernels."""

    def ns(self, name: str, workers: tuple[int, ...], slice_us: int) -> float: ...


Rounds = dict[str, npt.NDArray[np.float64]]

# ---------------------------------------------------------------------------------------------------------------- judgement


def judge_cost(what: str, ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], most: float | None) -> BoundVerdict:
    """The upper end of the interval of ours / theirs against a bound."""
    ratio = interval(ours / theirs)
    bound = "-" if most is None else f"<= {most:.3g}"
    medians = float(np.median(ours)), float(np.median(theirs))
    return BoundVerdict(what, *medians, ratio.median, ratio.low, ratio.high, ratio.coverage, bound, most is None or ratio.high <= most)


def speed_up(rounds: Rounds, name: str) -> npt.NDArray[np.float64]:
    """What two workers do in the time in which one does one operation. One is the average of both processors: they need not be equal."""
    alone: npt.NDArray[np.float64] = (rounds[f"{name} 0"] + rounds[f"{name} 1"]) / 2
    both: npt.NDArray[np.float64] = 2 * alone / rounds[f"{name} 01"]
    return both


def judge_speed_up(what: str, name: str, rounds: Rounds, least: float) -> BoundVerdict:
    """The lower end of the interval of our speed-up against a bound; C's is shown beside it."""
    ours = interval(speed_up(rounds, name))
    theirs = float(np.median(speed_up(rounds, f"c {name}")))
    passed = ours.low >= least
    return BoundVerdict(what, ours.median, theirs, ours.median, ours.low, ours.high, ours.coverage, f">= {least:g}", passed)


def judge_costs(rounds: Rounds) -> list[BoundVerdict]:
    """The verdicts on all costs."""

    def taken(each: Cost) -> BoundVerdict:
        return judge_cost(each.what, rounds[f"{each.name} {each.workers}"], rounds[f"c {each.name} {each.workers}"], each.most)

    of_pairs = judge_cost("allocate + free, against our get + put", rounds["alloc 0"], rounds["hot 0"], PAIR_OF_PAIRS)
    return [*map(taken, COSTS), of_pairs]


def judge_speed_ups(rounds: Rounds) -> list[BoundVerdict]:
    """The verdicts on all speed-ups."""
    return [judge_speed_up(what, name, rounds, least) for what, name, least in SPEED_UPS]


# -------------------------------------------------------------------------------------------------------------- measurement


def requests() -> list[tuple[str, str]]:
    """(name, workers) of every slice of a round; what is compared stands close together."""
    wanted = [(name, workers) for _, name, _ in SPEED_UPS for workers in ("0", BOTH, "1")]  # so that a drift cancels
    return wanted + [(each.name, each.workers) for each in COSTS if (each.name, each.workers) not in wanted]


def measure(ours: Program, theirs: Program, nr_rounds: int, slice_us: int) -> Rounds:
    """All figures of all rounds, in ns, by path and workers; those of C begin with "c "."""
    taken: dict[str, list[float]] = {}
    for number in range(nr_rounds):
        for name, workers in requests():
            both = [("", ours), ("c ", theirs)]
            for prefix, program in both if number % 2 else both[::-1]:
                figure = program.ns(name, tuple(map(int, workers)), slice_us)
                taken.setdefault(f"{prefix}{name} {workers}", []).append(figure)
    return {name: np.array(values) for name, values in taken.items()}


# --------------------------------------------------------------------------------------------------------------------- output


def table(title: str, judged: str, verdicts: list[BoundVerdict]) -> str:
    """Lines for people.

    Parameters  title: of the first column; judged: of the column of the judged median
    """
    width = max(len(title), *(len(v.name) for v in verdicts))
    covered = f"{100 * verdicts[0].coverage:.1f} %"  # all have the same number of rounds
    lines = [f"{title:{width}}  {'ours':>8}  {'C':>8}  {judged:>8}  {covered:>15}  {'bound':>7}"]
    for v in verdicts:
        span = f"{v.low:.3f} - {v.high:.3f}"
        result = "" if v.bound == "-" else "pass" if v.passed else "FAIL"
        lines.append(f"{v.name:{width}}  {v.ours:8.3f}  {v.theirs:8.3f}  {v.ratio:8.3f}  {span:>15}  {v.bound:>7}  {result}".rstrip())
    return "\n".join(lines)


def _complain(message: str) -> int:
    print(f"against_c: {message}", file=sys.stderr)
    return 4


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stress.measure.against_c", description="The hot paths beside their twins in C.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--slice", type=int, default=SLICE_MS, help="milliseconds of each measurement")
    parser.add_argument("--json", type=Path, help="write figures and verdicts as one JSON object")
    options = parser.parse_args()
    cpus = usable_cpus()
    if len(cpus) < 2:
        return _complain("two workers need two processors")
    try:
        if options.json is not None:
            check_json_path(options.json)
        build.build_entries(build.entries_of(MODULES))
        with CProgram((cpus[0], cpus[1])) as theirs, SlicedKernels(cpus[:2]) as ours:
            rounds = measure(ours, theirs, options.rounds, 1000 * options.slice)
    except (HostError, UserError) as error:
        return _complain(str(error))
    costs, speed_ups = judge_costs(rounds), judge_speed_ups(rounds)
    host: dict[str, Any] = describe_host()
    print(f"{host.get('cpu', '')}, {options.rounds} rounds of slices of {options.slice} ms, medians")
    print(f"{table('ns per operation', 'ratio', costs)}\n{RATIO_NOTE}\n")
    print(table("two workers on disjoint words", "times one", speed_ups))
    verdicts = {"costs": [each._asdict() for each in costs], "speed_ups": [each._asdict() for each in speed_ups]}
    figures = {name: values.tolist() for name, values in rounds.items()}
    result = {"schema": SCHEMA, "host": host, "slice_ms": options.slice, "rounds": figures, "verdicts": verdicts}
    return write_report(options.json, result) or int(not all(each.passed for each in (*costs, *speed_ups)))


if __name__ == "__main__":
    sys.exit(main())
