"""One group of the benchmark suite, measured once: python -m stress.measure.cells GROUP [--mode MODE] [--cell NAME] [--json].

asv runs this command once a commit and group, and stores what it prints; a person may run it without asv. ratio is the figure to
compare: calibrations per operation. cost is ns per operation in the host's fast mode, or n/a if the process met only the slow one; slow is
the share of slices in the slow mode; +- is half the distance of the ratio's quartiles.

Exit codes  0 measured, 1 some cells failed, 4 the host cannot do it
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # processes are forked below

from stress.errors import HostError, UserError
from stress.measure import grid
from stress.measure.effort import EFFORTS, Effort
from stress.process import itself

SCHEMA = "pfnstorm-cells/1"
#: groups that need more than a crew on machines: their modules, with `slices_of` and perhaps `figures`
OTHERS = {
    "exploring": "stress.measure.explored",
    "storms": "stress.measure.storms",
    "starting": "stress.measure.starting",
    "building": "stress.measure.building",
    "overhead": "stress.measure.overhead",
}
#: those whose cells start processes themselves
IN_ONE_PROCESS = ("storms", "starting", "building")
#: those that take seconds to make their machine: fewer processes, as many slices
SLOW_TO_MAKE = ("compaction",)
#: the flavour of a group's process; of all others: fast
FLAVOURS = {"exploring": "explored"}


def measure(group: str, specs: list[grid.CellSpec], effort: Effort) -> dict[str, Any]:
    """{"cells": {name: figures}, "figures": {name: number}}; the second are no timings.

    Raises      HostError
    """
    os.environ["PFNSTORM_FLAVOUR"] = FLAVOURS.get(group, "fast")
    from stress.measure.cell_figures import figures  # late: importing kernels fixes their flavour

    cells: dict[str, Any] = {}
    if specs:
        nr_processes = 1 if group in IN_ONE_PROCESS else min(effort.processes, 2 if group in SLOW_TO_MAKE else effort.processes)
        cells = figures(specs, [_process(group, specs) for _ in range(nr_processes)])
    module: Any = importlib.import_module(OTHERS[group]) if group in OTHERS else None
    return {"cells": cells, "figures": module.figures(effort) if hasattr(module, "figures") else {}}


def _process(group: str, specs: list[grid.CellSpec]) -> dict[str, Any]:
    """What another process measures: --slices.

    Raises      HostError
    """
    words = [group, "--slices", *(word for spec in specs for word in ("--cell", spec.name))]
    done = subprocess.run(
        itself.command(*words, module="stress.measure.cells"), env=itself.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HostError(f"{group}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    slices: dict[str, Any] = json.loads(done.stdout)
    return slices


def table(result: dict[str, Any]) -> str:
    """The figures as text."""
    width = max(len(name) for name in [*result["cells"], *result["figures"], "cell"])
    lines = [f"{'cell':{width}}  {'ratio':>9}  {'+-':>6}  {'cost, ns':>14}  {'slow':>6}"]
    for name, row in result["cells"].items():
        if "error" in row:
            lines.append(f"{name:{width}}  {row['error']}")
            continue
        cost = f"{row['cost_ns']:,.2f}" if row["cost_ns"] is not None else "n/a"
        lines.append(f"{name:{width}}  {row['ratio']:9.4f}  {row['spread']:6.1%}  {cost:>14}  {row['slow_share']:6.1%}")
    lines += [f"{name:{width}}  {value:9.4g}" for name, value in result["figures"].items()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stress.measure.cells", description="One group of the benchmark suite.")
    parser.add_argument("group", choices=grid.GROUPS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--mode", choices=grid.MODES, help="default: PFNSTORM_BENCH, or `default`")
    parser.add_argument("--cell", action="append", help="a cell by its name, or by the beginning of it; may be given again")
    parser.add_argument("--slices", action="store_true", help="print the slices that this one process measures, as JSON")
    options = parser.parse_args()
    try:
        mode = options.mode or grid.mode()
    except ValueError as error:
        parser.error(str(error))
    os.environ["PFNSTORM_BENCH"] = mode  # of the processes that it starts
    wanted = tuple(options.cell or [""])
    specs = [spec for spec in grid.cells(options.group, mode) if spec.name.startswith(wanted)]
    if not specs and options.cell:
        parser.error(f"--cell {wanted[0]}: no cell of {options.group} begins so")
    try:
        result = slices_of(options.group, specs, EFFORTS[mode]) if options.slices else measure(options.group, specs, EFFORTS[mode])
    except (HostError, UserError) as error:
        print(f"cells: {error}", file=sys.stderr)
        return 4
    if options.slices:
        print(json.dumps(result))
        return 0
    print(json.dumps({"schema": SCHEMA, "group": options.group, "mode": mode} | result) if options.json else table(result))
    return int(any("error" in row for row in result["cells"].values()))


def slices_of(group: str, specs: list[grid.CellSpec], effort: Effort) -> dict[str, Any]:
    """What this process measures of a group: by cell its slices and counts, or an error."""
    os.environ["PFNSTORM_FLAVOUR"] = FLAVOURS.get(group, "fast")
    if group in OTHERS:
        module: Any = importlib.import_module(OTHERS[group])
        taken: dict[str, Any] = module.slices_of(specs, effort)
        return taken
    from stress.measure import alternation

    return alternation.slices_of(group, specs, effort)


if __name__ == "__main__":
    sys.exit(main())
