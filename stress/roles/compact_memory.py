"""Role compact_memory: one operation compacts every zone whole, as `echo 1 > /proc/sys/vm/compact_memory` does."""

from kernels.base.jit import kernel
from kernels.policy.compaction import compact_memory
from stress.roles._role import Role


@kernel
def compact_memory_step(mem, cpu):
    """Compact the whole machine, zone after zone.

    Returns     0
    Progress    one pass over each zone
    """
    for nid in range(mem.nr_nodes):
        compact_memory(mem, cpu, nid)
    return 0


ROLE = Role("compact_memory", "all zones are compacted whole and synchronously, as by /proc/sys/vm/compact_memory", compact_memory_step)
