"""One window of a range, migrated as the policy says: by (base_pfn, bitmap), or by a list.

Models      the call of migrate_pages() in compact_zone() and __alloc_contig_migrate_range(), and the interface that P1 proposes instead
Protocol    both change nothing in a window but what has moved: no isolation outlives the call
"""

from kernels.base.jit import kernel
from kernels.base.stage import STAGE_SCAN, stage_begin, stage_end
from kernels.migrate.legacy import migrate_pages
from kernels.migrate.range import migrate_range
from kernels.migrate.scan import fill_candidates

MIGRATION_LIST = 1  # of policy_migration


@kernel
def migrate_window(mem, cpu, base_pfn, nr_frames, mode, reason, targets):
    """Migrate what moves in the frames from `base_pfn` on.

    Parameters  nr_frames: at most window_frames; the others as migrate_range
    Returns     frames isolated but not migrated, which are put back; -1 if nothing there moves
    Progress    as migrate_range
    """
    if mem.policy_migration == MIGRATION_LIST:
        return migrate_pages(mem, cpu, base_pfn, nr_frames, mode, reason, targets)
    begin = stage_begin(mem)
    nr_candidates = fill_candidates(mem, cpu, base_pfn, nr_frames)
    stage_end(mem, cpu, STAGE_SCAN, begin)
    if nr_candidates == 0:
        return -1
    return migrate_range(mem, cpu, base_pfn, mode, reason, targets)
