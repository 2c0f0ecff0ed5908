"""What compaction promises: it continues until it has what was asked for, and takes no more targets while it has some.

CPU 0 compacts pageblocks with holes, first for a block of an order that is never reached, then pageblock by pageblock.
"""

from kernels.base import counter
from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MR_COMPACTION, NR_ORDERS
from kernels.map.rmap import zap_range
from kernels.migrate.targets import CLUSTER_MAX, cc_release, isolate_freepages, want_targets
from kernels.policy.compaction import COMPACT_COMPLETE, compact_block, compact_zone
from stress.explore.model import PARAMS, Model, small_geometry
from stress.explore.models._folios import drain_all, new_page, unmap_everything
from stress.explore.models._promises import counted, expect

PAGES = PARAMS["anon_pages"]
MANY_BLOCKS = 64


@kernel
def prepare(mem, cpu):
    """Every second page of a task is unmapped, so that pageblocks have holes."""
    for vpage in range(PAGES):
        new_page(mem, cpu, 0, vpage)
    drain_all(mem)
    for vpage in range(0, PAGES, 2):
        zap_range(mem, cpu, 0, vpage, 1)
    return 0


@kernel
def steps(mem, cpu):
    """Compact the zone, then a pageblock with targets at hand.

    Returns     0
    """
    moved = counted(mem, cpu, counter.PGMIGRATE_SUCCESS)
    expect(mem, cpu, compact_zone(mem, cpu, 0, NR_ORDERS - 1, MIGRATE_ASYNC, MANY_BLOCKS), COMPACT_COMPLETE)
    expect(mem, cpu, 1 if counted(mem, cpu, counter.PGMIGRATE_SUCCESS) > moved else 0, 1)
    want_targets(mem, cpu, 1)
    isolate_freepages(mem, cpu, 0)
    held = mem.cc_pages[cpu]
    expect(mem, cpu, 1 if held > 0 and held < CLUSTER_MAX else 0, 1)
    compact_block(mem, cpu, 0, 0, MIGRATE_ASYNC, MR_COMPACTION)
    expect(mem, cpu, mem.cc_pages[cpu], held)
    cc_release(mem, cpu)
    store_relaxed(mem.block_skip, 0, 0)
    return load_relaxed(mem.zone_free_pfn, 0)


MODEL = Model(
    "promises-compaction",
    "compaction alone: it continues until it has what was asked for, and uses the targets that it has",
    "P11; D3, L1, promise",
    small_geometry(1, nr_tasks=4, pageblock_order=2),
    prepare,
    steps,
    unmap_everything,
    params={"pcp_high": 0},
    meetings=("pgmigrate_success",),
)
