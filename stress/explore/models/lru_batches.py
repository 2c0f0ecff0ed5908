"""LRU batches: filled by their CPU while others empty them, and kept empty for a while.

CPU 0 maps two new pages, which queue for the LRU. CPU 1 empties all batches and keeps them empty, as who evacuates a range does. CPU 2
empties CPU 0's batch.
"""

from kernels.alloc.release import lru_add_drain_cpu, lru_cache_disable, lru_cache_enable
from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_anonymous_page
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all


@kernel
def prepare(mem, cpu):
    """Nothing is mapped."""
    return 0


@kernel
def steps(mem, cpu):
    """Map two pages; empty all batches; empty one.

    Returns     0
    """
    if cpu == 0:
        do_anonymous_page(mem, cpu, 0, 0, 0)
        do_anonymous_page(mem, cpu, 0, 1, 0)
    elif cpu == 1:
        lru_cache_disable(mem, cpu)
        lru_cache_enable(mem)
    else:
        lru_add_drain_cpu(mem, cpu, 0)
    return 0


@kernel
def check(mem, cpu):
    """Both pages are there, and are unmapped, so that a reference too many or too few is seen."""
    drain_all(mem)
    for vpage in range(2):
        task_access(mem, cpu, 0, vpage, 0)
    zap_range(mem, cpu, 0, 0, 2)
    return 0


MODEL = Model(
    "lru-batches",
    "an LRU batch is filled by its CPU while two others empty it, and one keeps it empty",
    "linux-mm.md 1.3; D1, I3",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("lru_add_drain",),
)
