"""From the slices that processes have taken to the figures of each cell."""

from typing import Any

import numpy as np

from stress.measure import host_modes
from stress.measure.alternating import Slices, calibrated, fast_ns
from stress.measure.grid import CellSpec


def figures(specs: list[CellSpec], processes: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of every cell by its name, from what each process measured; a cell that failed in one has an `error` and no figures."""
    # contention depends on the workers; all other calibrations are pooled over them
    keys = {spec.name: host_modes.key_of(spec.calibration, spec.workers if spec.calibration == "shared" else 0) for spec in specs}
    slices: dict[str, Slices] = {}
    made: dict[str, Any] = {}
    pooled: dict[str, list[Any]] = {}
    for spec in specs:
        errors = [process[spec.name]["error"] for process in processes if "error" in process[spec.name]]
        if errors:
            made[spec.name] = {"error": errors[0]}
            continue
        slices[spec.name] = Slices.of([np.array(process[spec.name]["slices"]) for process in processes])
        pooled.setdefault(keys[spec.name], []).append(slices[spec.name].calibration_ns)
    known = host_modes.read_known()
    seen = {key: fast_ns(np.concatenate(parts)) for key, parts in pooled.items()}
    fast = {key: fast_ns(np.concatenate(parts), host_modes.known_fast_ns(known, key)) for key, parts in pooled.items()}
    host_modes.remember(seen)
    for spec in specs:
        if spec.name in slices:
            counts = [process[spec.name]["counts"] for process in processes]
            made[spec.name] = figures_of(slices[spec.name], fast[keys[spec.name]]) | {"calibration": spec.calibration}
            made[spec.name] |= {name: float(np.mean([each[name] for each in counts])) for name in counts[0]}
    return made


def figures_of(slices: Slices, fast_calibration_ns: float) -> dict[str, Any]:
    """The figures of a cell as JSON has them: null for a cost of which only the slow mode was met."""
    result = calibrated(slices, fast_calibration_ns)
    return {
        "ratio": result.ratio,
        "cost_ns": result.cost_ns if np.isfinite(result.cost_ns) else None,
        "slow_share": result.slow_share,
        "spread": result.spread,
        "median_ns": float(np.median(slices.cell_ns)),
        "calibration_ns": float(np.median(slices.calibration_ns)),
        "slices": int(slices.cell_ns.size),
    }
