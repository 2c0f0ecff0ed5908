"""Role compactor: background compaction of a zone, a few pageblocks at a time; sometimes one pageblock is isolated and evacuated."""

from kernels.alloc.isolation import unisolate_pageblock
from kernels.base import counter
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MIGRATE_SYNC_LIGHT
from kernels.base.random import random_below
from kernels.base.vmstat import count
from kernels.policy.compaction import compact_zone
from kernels.policy.contig import isolate_and_evacuate
from stress.roles._role import Role


@kernel
def evacuate_or_return(mem, cpu):
    """Give back the pageblock that this CPU holds isolated, or isolate, evacuate and hold one.

    Returns     0
    Progress    bounded, blocking
    """
    held = mem.isolated_block[cpu] - 1
    if held >= 0:
        mem.isolated_block[cpu] = 0
        unisolate_pageblock(mem, cpu, held)
        return 0
    block = random_below(mem, cpu, mem.nr_frames >> mem.pageblock_order)
    if isolate_and_evacuate(mem, cpu, block) >= 0:
        mem.isolated_block[cpu] = block + 1
    return 0


@kernel
def compactor_step(mem, cpu):
    """Compact two pageblocks of a zone, or evacuate one.

    Returns     0
    Progress    bounded, blocking
    """
    choice = random_below(mem, cpu, 32)
    if choice == 0:
        return evacuate_or_return(mem, cpu)
    count(mem, cpu, counter.COMPACT_DAEMON_WAKE, 1)
    mode = MIGRATE_SYNC_LIGHT if choice & 3 == 3 else MIGRATE_ASYNC
    compact_zone(mem, cpu, random_below(mem, cpu, mem.nr_nodes), -1, mode, 2)
    return 0


ROLE = Role(
    "compactor",
    "zones are compacted by (base_pfn, bitmap) a few pageblocks at a time, and pageblocks are isolated and evacuated",
    compactor_step,
)
