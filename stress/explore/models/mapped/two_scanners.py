"""Two scanners on one pageblock: at most one isolates each folio, which ends migrated or back on the LRU.

A pageblock holds two mapped folios. The CPU that claims the pageblock hands it to range migration. The other CPU migrates one folio alone,
without a claim, as a contiguous allocation or a memory failure does; then, as the task, it writes that page and unmaps the other one.
"""

from kernels.base.atomics import store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MR_COMPACTION
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.migrate.range import migrate_range
from kernels.migrate.scan import fill_candidates
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.policy.compaction import claim_block
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all, migrate_one, new_page

PAGES = 2
FRAMES = 0  # scratch: the frames of the two pages


@kernel
def prepare(mem, cpu):
    """Two pages of task 0 are on the LRU."""
    for vpage in range(PAGES):
        mem.scratch[FRAMES + vpage] = new_page(mem, cpu, 0, vpage)
    return 0


@kernel
def steps(mem, cpu):
    """Claim, and migrate the range; migrate one folio, write its page, and unmap the other.

    Returns     candidates that are left, or whether the folio moved
    """
    block = mem.scratch[FRAMES] >> mem.pageblock_order
    base_pfn, nr_frames = block << mem.pageblock_order, 1 << mem.pageblock_order
    if not claim_block(mem, cpu, block):
        moved = migrate_one(mem, cpu, mem.scratch[FRAMES + 1])
        task_access(mem, cpu, 0, 1, 1)
        zap_range(mem, cpu, 0, 0, 1)
        return moved
    left = -1
    if fill_candidates(mem, cpu, base_pfn, nr_frames) > 0:
        left = migrate_range(mem, cpu, base_pfn, MIGRATE_ASYNC, MR_COMPACTION, FROM_ALLOCATOR)
    store_relaxed(mem.block_skip, block, 0)
    return left


@kernel
def check(mem, cpu):
    """What was written is found, and both pages are unmapped, so that a wrong reference count is seen."""
    drain_all(mem)
    task_access(mem, cpu, 0, 1, 0)
    zap_range(mem, cpu, 0, 0, PAGES)
    return 0


MODEL = Model(
    "two-scanners",
    "two scanners on one pageblock, and its task that writes and unmaps",
    "P11; D5, I16",
    small_geometry(2, nr_tasks=4, pageblock_order=2),
    prepare,
    steps,
    check,
    params={"window_frames": 64},
    meetings=("met_two_scanners_one_block", "migrated_compaction", "met_isolation_raced_free"),
)
