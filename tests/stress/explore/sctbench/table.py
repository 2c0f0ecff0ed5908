"""The table of SCTBench ports: schedules to the first failure, beside the published figures. In the explored flavour:

    PFNSTORM_FLAVOUR=explored python -m tests.stress.explore.sctbench.table [--trials 20] [--json]

All 20 trials of all cells take some minutes. --quick keeps what CI can afford: 20 trials where the published mean is small, trials
until the first success elsewhere, three where nothing was ever found.
"""

import argparse
import json

from stress.explore.strategies import CHOOSABLE
from tests.stress.explore.sctbench.ports import PORTS, Ports
from tests.stress.explore.sctbench.published import DISAGREEMENTS, PUBLISHED, SCHEDULES, STRATEGIES, TRIALS

QUICK_MEAN, QUICK_TRIALS = 100.0, 3


def trials_of(ports, name, strategy, *, trials, quick):
    """Schedules to the first failure of each trial, None where there was none."""
    found, mean = PUBLISHED[name][strategy] or (TRIALS, 0.0)
    until_found = quick and found > 0 and mean > QUICK_MEAN
    made = []
    for trial in range(QUICK_TRIALS if quick and (found == 0 or (name, strategy) in DISAGREEMENTS) else trials):
        made.append(ports.first_failure(name, strategy, trial + 1, SCHEDULES))
        if until_found and made[-1] is not None:
            break
    return made


def cell(firsts, published):
    """One cell as text: mean (found of trials), and the published one."""
    found = [first for first in firsts if first is not None]
    here = f"{sum(found) / len(found):,.1f}" + (f" ({len(found)}/{len(firsts)})" if len(found) < len(firsts) else "") if found else "-"
    if published is None:
        return f"{here} [?]"
    there = f"{published[1]:,.1f}" + (f" ({published[0]}/{TRIALS})" if published[0] < TRIALS else "") if published[0] else "-"
    return f"{here} [{there}]"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ports, strategies, result = Ports(), [each for each in STRATEGIES if each in CHOOSABLE], {}
    if not options.json:
        print("mean schedules to the first failure, [published]; - never")
        print("".join(["program".ljust(24), *(each.ljust(36) for each in strategies)]).rstrip())
    for name in PORTS:
        result[name] = {each: trials_of(ports, name, each, trials=options.trials, quick=options.quick) for each in strategies}
        if not options.json:
            cells = (cell(result[name][each], PUBLISHED[name][each]).ljust(36) for each in strategies)
            print("".join([name.ljust(24), *cells]).rstrip(), flush=True)
    if options.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
