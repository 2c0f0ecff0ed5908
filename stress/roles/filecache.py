"""Role filecache: files are read, written, written back and truncated through the page cache."""

from kernels.alloc.pages import cpu_node
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM
from kernels.base.random import random_below
from kernels.policy.filemap import file_read, file_truncate, file_write, file_writeback
from kernels.policy.reclaim import balance_node
from stress.roles._pick import pick_file_index
from stress.roles._role import Role


@kernel
def filecache_step(mem, cpu):
    """One read, write, writeback or truncation; first kswapd's work, if a random node is below its low watermark.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    nid = random_below(mem, cpu, mem.nr_nodes)
    if load_relaxed(mem.zone_free, nid) < load_relaxed(mem.zone_low, nid):
        balance_node(mem, cpu, nid)
    file = random_below(mem, cpu, mem.nr_files)
    index = pick_file_index(mem, cpu)
    choice = random_below(mem, cpu, 100)
    order = random_below(mem, cpu, 5) if choice & 3 == 0 else 0
    result = 0
    if choice < 60:
        result = file_read(mem, cpu, cpu_node(mem, cpu), file, index, order)
    elif choice < 75:
        result = file_write(mem, cpu, cpu_node(mem, cpu), file, index, order)
    elif choice < 97:
        file_writeback(mem, cpu, file, index)
    else:
        file_truncate(mem, cpu, file, index)
    return -ENOMEM if result < 0 else 0


ROLE = Role("filecache", "files are read, written, written back and truncated through a lockless page cache", filecache_step)
