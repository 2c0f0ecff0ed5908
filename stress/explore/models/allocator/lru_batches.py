"""LRU batches: one is filled by its CPU while others drain it, and all are kept empty for a while.

CPU 0 queues two new folios for the LRU. CPU 1 drains all batches and keeps them empty, as a CPU that evacuates a range does. CPU 2 drains
CPU 0's batch. Each folio must reach the LRU once.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.alloc.release import folio_add_lru, folio_put, lru_add_drain_cpu, lru_cache_disable, lru_cache_enable
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, T_ANON
from kernels.map.access import anon_mapping
from kernels.page.folio import folio_prepare, folio_publish
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all

DESCS = 0  # scratch: the descriptors of the two folios


@kernel
def prepare(mem, cpu):
    """Two folios without a mapping."""
    for k in range(2):
        desc = folio_prepare(mem, cpu, T_ANON, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE), 0, anon_mapping(0), k)
        folio_publish(mem, cpu, desc, 1)
        mem.scratch[DESCS + k] = desc
    return 0


@kernel
def steps(mem, cpu):
    """Queue two folios; drain all batches and keep them empty; drain one.

    Returns     0
    """
    if cpu == 0:
        for k in range(2):
            folio_add_lru(mem, cpu, mem.scratch[DESCS + k])
    elif cpu == 1:
        lru_cache_disable(mem, cpu)
        lru_cache_enable(mem)
    else:
        lru_add_drain_cpu(mem, cpu, 0)
    return 0


@kernel
def check(mem, cpu):
    """Both folios are put for the last time, so that a wrong reference count is seen."""
    drain_all(mem)
    for k in range(2):
        folio_put(mem, cpu, mem.scratch[DESCS + k])
    return 0


MODEL = Model(
    "lru-batches",
    "an LRU batch is filled by its CPU while two others drain it, one of which keeps it empty",
    "P16; I3",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("lru_add_drain",),
)
