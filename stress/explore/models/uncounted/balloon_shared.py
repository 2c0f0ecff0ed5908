"""Two CPUs use one balloon of pages with frozen counts while a third isolates its pages, and puts back or migrates them.

The balloon has two pages. CPUs 0 and 2 inflate and deflate it. CPU 1 isolates its first page and puts it back, then isolates the second one
and migrates it. Every page must be given back once.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, OFFLINE_ZERO
from kernels.types.balloon import balloon_page_dequeue, balloon_page_enqueue
from stress.explore.model import Model, small_geometry
from stress.explore.models.uncounted._balloons import FIRST, SECOND, check, move, prepare


@kernel
def steps(mem, cpu):
    """Inflate and deflate; put back and migrate.

    Returns     pages that were given back, or isolated
    """
    if cpu == 1:
        return move(mem, cpu, mem.scratch[FIRST], False) + 2 * move(mem, cpu, mem.scratch[SECOND], True)
    balloon_page_enqueue(mem, cpu, 0, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE))
    return balloon_page_dequeue(mem, cpu, 0, 0) + balloon_page_dequeue(mem, cpu, 0, 0)


MODEL = Model(
    "balloon-shared",
    "two CPUs inflate and deflate one balloon while its pages are isolated, put back and migrated",
    "P10; D8, I2, I16",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_offline": OFFLINE_ZERO},
    meetings=("met_deflate_on_isolated", "balloon_migrate"),
)
