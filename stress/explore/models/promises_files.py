"""What files promise of their cost: a page is written back once for each time that it became dirty, and used pages get a second chance.

Both CPUs write a dirty page back. Afterwards a page that was read is passed over once by reclaim, and then taken; and a lookup of a
folio that stays frozen is tried as often as it says.
"""

from kernels.alloc.release import folio_put
from kernels.base import counter
from kernels.base.jit import kernel
from kernels.map.pagecache import cache_slot, filemap_get_entry
from kernels.page.refcount import ref_freeze, ref_unfreeze
from kernels.policy.filemap import create_folio, file_read, file_truncate, file_write, file_writeback
from kernels.policy.reclaim import reclaim_one
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all
from stress.explore.models._promises import counted, expect

INDEX, TRIES = 3, 64
FILE_LIST = 1  # the lruvec of node 0's files


@kernel
def prepare(mem, cpu):
    """A dirty page, on the LRU."""
    folio_put(mem, cpu, create_folio(mem, cpu, 0, 0, INDEX, 0))
    drain_all(mem)
    file_write(mem, cpu, 0, 0, INDEX, 0)
    return 0


@kernel
def steps(mem, cpu):
    """Write back.

    Returns     pages written
    """
    mem.gang_pfn[cpu] = file_writeback(mem, cpu, 0, INDEX)
    return mem.gang_pfn[cpu]


@kernel
def check(mem, cpu):
    """It was written once. It is used, so reclaim passes it over once. While it is frozen, a lookup tries, and gives up."""
    expect(mem, cpu, mem.gang_pfn[0] + mem.gang_pfn[1], 1)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    expect(mem, cpu, reclaim_one(mem, cpu, FILE_LIST), 0)
    drain_all(mem)
    desc = (mem.cache[cache_slot(mem, 0, INDEX)] >> 1) - 1
    expect(mem, cpu, 1 if ref_freeze(mem, cpu, desc, 1) else 0, 1)
    before = counted(mem, cpu, counter.SPEC_TRIED)
    expect(mem, cpu, filemap_get_entry(mem, cpu, 0, INDEX), -1)
    expect(mem, cpu, counted(mem, cpu, counter.SPEC_TRIED) - before, TRIES)
    ref_unfreeze(mem, cpu, desc, 1)
    expect(mem, cpu, reclaim_one(mem, cpu, FILE_LIST), 1)
    file_truncate(mem, cpu, 0, INDEX)
    return 0


MODEL = Model(
    "promises-files",
    "two write a page back at once; then it is used, frozen, and reclaimed: each is done once, and as often as it says",
    "linux-mm.md 2.2",
    small_geometry(2),
    prepare,
    steps,
    check,
    meetings=("pgsteal", "pgrotated"),
)
