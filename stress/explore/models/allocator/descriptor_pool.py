"""The machine's pool of descriptors: two CPUs with full caches give one descriptor each back while a third CPU refills its cache.

CPU 2 takes one descriptor more than a refill brings. No descriptor may be lost or free twice.
"""

from kernels.base.jit import kernel
from kernels.base.layout import DESC_CACHE
from kernels.page.folio import desc_alloc, desc_free
from stress.explore.model import Model, small_geometry

TAKER, TAKEN = 2, DESC_CACHE // 2 + 1
GIVEN, HELD = 0, TAKER  # scratch: what each giver gives back; from HELD on, what the taker takes


@kernel
def prepare(mem, cpu):
    """CPU 2 takes what fills the caches of the others, and one more for each of them to give back."""
    for giver in range(TAKER):
        while mem.desc_cached[giver] < DESC_CACHE:
            desc_free(mem, giver, desc_alloc(mem, TAKER))
        mem.scratch[GIVEN + giver] = desc_alloc(mem, TAKER)
    return 0


@kernel
def steps(mem, cpu):
    """Give one back; take many.

    Returns     0
    """
    if cpu == TAKER:
        for k in range(TAKEN):
            mem.scratch[HELD + k] = desc_alloc(mem, cpu)
    else:
        desc_free(mem, cpu, mem.scratch[GIVEN + cpu])
    return 0


@kernel
def check(mem, cpu):
    """All are given back; the checkers at rest find one that is lost or free twice."""
    for k in range(TAKEN):
        desc_free(mem, TAKER, mem.scratch[HELD + k])
    return 0


MODEL = Model(
    "descriptor-pool",
    "two CPUs with full caches of descriptors give some back to the pool while a third takes some",
    "P3; I1, I2",
    small_geometry(3),
    prepare,
    steps,
    check,
)
