"""The group `building`: the CPU time of compiling the kernels of the reference entries, cold, and the number of kernels of the project.

python -m stress.measure.building       compiles them into PFNSTORM_CACHE_DIR, and prints the seconds and the number as JSON
"""

import json
import tempfile
import time
from typing import Any

from stress.measure.bare import alternate, run_module
from stress.measure.effort import Effort
from stress.measure.grid import CellSpec

MOST_REPEATS = 2


def slices_of(specs: list[CellSpec], effort: Effort) -> dict[str, Any]:
    """As stress.measure.alternation.slices_of()."""
    return alternate(specs, min(effort.repeats, MOST_REPEATS), lambda _: 1e9 * _compile()["seconds"])


def figures(_: Effort) -> dict[str, float]:
    """The number of kernels."""
    return {"kernels": _count()}


def _compile() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="pfnstorm-") as folder:
        result: dict[str, float] = json.loads(
            run_module("stress.measure.building", PFNSTORM_CACHE_DIR=folder, PFNSTORM_FLAVOUR="fast").printed
        )
    return result


def _count() -> int:
    from kernels.base import jit
    from stress.process.build import import_all_entries

    import_all_entries(("kernels", "stress.roles"))
    return len(jit.KERNELS)


def main() -> None:
    from stress.measure import entries
    from stress.process.build import build_entries, entries_of

    start = time.process_time()
    build_entries(entries_of([entries.__name__]))
    print(json.dumps({"seconds": time.process_time() - start}))


if __name__ == "__main__":
    main()
