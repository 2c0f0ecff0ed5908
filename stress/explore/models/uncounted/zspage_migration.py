"""A zspage is written and emptied by its owners while compaction isolates it, and migrates it or puts it back.

The zspage has two objects. CPU 0 frees one, CPU 2 writes the other and frees it; the last free ends the zspage. CPU 1 isolates the zspage
and migrates it to a frame of its own; if an object is being written, it puts the zspage back. F5: Linux does not keep a zspage from being
destroyed while it is isolated. Here the CPU that empties an isolated zspage leaves the free to the isolator; zspage-destroy-linux does not.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.atomics import load_acquire
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, T_MOVABLE, ZS_HANDLES
from kernels.page.memdesc import word_type
from kernels.types.zspage import isolate_zspage, migrate_zspage, putback_zspage, zs_access, zs_free, zs_malloc, zs_malloc_new
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check, stock_list

FIRST, SECOND = 0, 2 * ZS_HANDLES  # handles of CPU 0 and of CPU 2
FRAME = 0  # scratch: the frame of the zspage


@kernel
def prepare(mem, cpu):
    """One zspage of the class with two objects a frame has both in use, and CPU 1's list has a frame."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    mem.scratch[FRAME] = pfn
    zs_malloc_new(mem, cpu, 0, FIRST, pfn)
    zs_malloc(mem, cpu, 0, SECOND)
    stock_list(mem, 1)
    return 0


@kernel
def move(mem, cpu, pfn):
    """Isolate a zspage, and migrate it or put it back, as compaction does.

    Returns     1: moved; 0: its owner was faster; -EBUSY: put back
    """
    # ORDER: acquire, pairs with the publication of the word; the compare-and-swap decides
    word = load_acquire(mem.memdesc, pfn)
    if word_type(word) != T_MOVABLE or not isolate_zspage(mem, cpu, pfn, word):
        return 0
    target = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    result = migrate_zspage(mem, cpu, pfn, target, word)
    if result < 0:
        putback_zspage(mem, cpu, pfn, word)
    if result <= 0:
        free_frozen_pages(mem, cpu, target, 0)
    return result


@kernel
def steps(mem, cpu):
    """Free; migrate; write and free.

    Returns     what the migration returned
    """
    if cpu == 1:
        return move(mem, cpu, mem.scratch[FRAME])
    if cpu == 2:
        zs_access(mem, cpu, SECOND, 1)
    zs_free(mem, cpu, FIRST if cpu == 0 else SECOND)
    return 0


MODEL = Model(
    "zspage-migration",
    "a zspage is written and emptied while compaction isolates it, migrates it or puts it back",
    "P10; F1, F5, I13, I16",
    small_geometry(3, words_per_frame=8),
    prepare,
    steps,
    no_check,
    meetings=("zspage_migrate", "met_zspage_emptied_while_isolated", "met_zspage_reader_refused_migration", "met_zs_object_moved"),
)
