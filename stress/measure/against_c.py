"""The hot paths against the same code in C, interleaved, as ratios: python -m stress.measure.against_c [--rounds N] [--json PATH].

Absolute figures drift by a factor of two on a shared host. So each round measures the C program and the kernels within a fraction of a
second, in alternating order, and the verdict is on the median of the rounds' ratios with its exact interval. Both fork a pinned
process for each figure, map all memory, warm up, stop when the first process is done, and measure their own CPU time.

Exit codes  0 within the bounds, 1 not, 4 no C compiler
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # processes are forked below
os.environ["PFNSTORM_FLAVOUR"] = "fast"  # the flavour of --check none

from stress.errors import HostError
from stress.machine.host import describe_host, usable_cpus
from stress.measure.forked import MODULES, RINGS, Forked
from stress.measure.limits import CProgram
from stress.measure.ratio import interval
from stress.process import build

SCHEMA = "pfnstorm-against-c/1"
RATIO_NOTE = "ratio: the median of the rounds' ratios, with its interval; it is not the quotient of the two medians"


class BoundVerdict(NamedTuple):
    """One line of the table: the median of the rounds' ratios, its interval, the coverage of that, and the bound of the interval."""

    name: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    coverage: float
    bound: str
    passed: bool


# ---------------------------------------------------------------------------------------------------------------- judgement


def judge(rounds: dict[str, np.ndarray]) -> list[BoundVerdict]:
    """Compare the rounds with the bounds: the lower end of a cost's interval, the upper end of a speed-up's."""

    def verdict(name: str, ours: np.ndarray, theirs: np.ndarray, *, most: float | None = None, least: float | None = None) -> BoundVerdict:
        ratio = interval(ours / theirs)
        passed = (most is None or ratio.low <= most) and (least is None or ratio.high >= least)
        bound = f"<= {most:g}" if most is not None else f">= {least:g}" if least is not None else "-"
        medians = float(np.median(ours)), float(np.median(theirs))
        return BoundVerdict(name, *medians, ratio.median, ratio.low, ratio.high, ratio.coverage, bound, passed)

    def speed_up(name: str) -> np.ndarray:
        """The speed-up of two workers over one. One worker is the average of both processors: they need not be equally fast."""
        alone: np.ndarray = (rounds[f"{name} 0"] + rounds[f"{name} 1"]) / 2
        scaling: np.ndarray = alone / rounds[f"{name} 01"]
        return scaling

    def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
        return rounds[f"{name} 0"], rounds[f"c {name} 0"]

    return [
        verdict("get + put, hot (ns)", *pair("hot"), most=1.15),
        verdict("get + put, random over 64 MiB (ns)", *pair("random"), most=1.15),
        verdict("the same, testing whether it was the last (ns)", *pair("random_tested"), most=1.15),
        verdict("allocate + free, order 0 (ns), against C's hot pair", rounds["alloc 0"], rounds["c hot 0"], most=2.2),
        # no bound: a link is an index, as everywhere in the segment, and its shift delays the next load (C follows pointers)
        verdict("walk of a list, first level of cache (ns)", *pair("list_hot")),
        verdict("walk of a list, second level of cache (ns)", *pair("list_mid")),
        verdict("walk of a list, at random over 64 MiB (ns)", *pair("list_cold"), most=1.15),
        verdict("get + put, two workers (scaling)", speed_up("hot"), speed_up("c hot"), least=0.9),
        verdict("allocate + free, two workers (scaling)", speed_up("alloc"), speed_up("c hot"), least=0.9),
    ]


def measure(nr_rounds: int, cpus: tuple[int, int]) -> dict[str, np.ndarray]:
    """All figures of all rounds, in ns, by benchmark and workers."""
    taken: dict[str, list[float]] = {}
    wanted: list[tuple[str, CProgram | Forked, str]]
    with CProgram(cpus) as theirs:
        ours = Forked(list(cpus))
        for number in range(nr_rounds):
            for workers in ((0,), (1,), (0, 1)):
                wanted = [("c hot", theirs, "hot"), ("hot", ours, "hot"), ("alloc", ours, "alloc")]
                if workers == (0,):
                    for name in ("random", "random_tested", *RINGS):
                        wanted += [(f"c {name}", theirs, name), (name, ours, name)]
                for label, program, name in wanted if number % 2 else wanted[::-1]:
                    key = f"{label} {''.join(map(str, workers))}"
                    taken.setdefault(key, []).append(program.ns(name, workers))
    return {name: np.array(values) for name, values in taken.items()}


def table(verdicts: list[BoundVerdict]) -> str:
    width = max(len(each.name) for each in verdicts)
    covered = f"{100 * verdicts[0].coverage:.1f} %"  # all have the same number of rounds
    lines = [f"{'':{width}}  {'ours':>7}  {'C':>7}  {'ratio':>6}  {covered:>15}  {'bound':>7}"]
    for v in verdicts:
        span = f"{v.low:.3f} - {v.high:.3f}"
        result = "" if v.bound == "-" else "pass" if v.passed else "FAIL"
        lines.append(f"{v.name:{width}}  {v.ours:7.3f}  {v.theirs:7.3f}  {v.ratio:6.3f}  {span:>15}  {v.bound:>7}  {result}".rstrip())
    return "\n".join(lines)


def _complain(message: str) -> int:
    print(f"against_c: {message}", file=sys.stderr)
    return 4


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stress.measure.against_c", description="The hot paths against the same code in C.")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="write figures and verdicts as one JSON object")
    options = parser.parse_args()
    cpus = usable_cpus()
    if len(cpus) < 2:
        return _complain("scaling needs two processors")
    build.build_entries(build.entries_of(MODULES))
    try:
        rounds = measure(options.rounds, (cpus[0], cpus[1]))
    except HostError as error:
        return _complain(str(error))
    verdicts = judge(rounds)
    host: dict[str, Any] = describe_host()
    print(f"{host.get('cpu', '')}, {options.rounds} interleaved rounds, medians\n{table(verdicts)}\n{RATIO_NOTE}")
    if options.json is not None:
        figures = {name: values.tolist() for name, values in rounds.items()}
        result = {"schema": SCHEMA, "host": host, "rounds": figures, "verdicts": [each._asdict() for each in verdicts]}
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0 if all(each.passed for each in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
