"""A zspage is emptied by its owner while its isolator puts it back, and makes another one of the freed frame.

CPU 0 frees the only object. CPU 1 isolates the zspage and puts it back; then it makes a zspage, mostly of the same frame and with the same
descriptor, and writes its object. The first zspage must be freed once, and the second must keep its object.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.atomics import load_acquire
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, T_MOVABLE, ZS_HANDLES
from kernels.page.memdesc import word_type
from kernels.types.zspage import isolate_zspage, putback_zspage, zs_access, zs_free, zs_malloc_new
from stress.explore.model import Model, small_geometry

FIRST, SECOND = 0, ZS_HANDLES  # handles of CPU 0 and of CPU 1
FRAME = 0  # scratch: the frame of the zspage


@kernel
def prepare(mem, cpu):
    """One zspage of the class with two objects a frame has one in use."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    mem.scratch[FRAME] = pfn
    zs_malloc_new(mem, cpu, 0, FIRST, pfn)
    return 0


@kernel
def isolate_and_put_back(mem, cpu, pfn):
    """Isolate and put back, as compaction without a target does.

    Returns     1: put back; 0: freed, or not isolated
    """
    # ORDER: acquire, pairs with the publication of the word; the compare-and-swap decides
    word = load_acquire(mem.memdesc, pfn)
    if word_type(word) != T_MOVABLE or not isolate_zspage(mem, cpu, pfn, word):
        return 0
    return 1 if putback_zspage(mem, cpu, pfn, word) else 0


@kernel
def steps(mem, cpu):
    """Free; isolate and put back, and make another one.

    Returns     whether it was put back
    """
    if cpu == 0:
        zs_free(mem, cpu, FIRST)
        return 0
    back = isolate_and_put_back(mem, cpu, mem.scratch[FRAME])
    zs_malloc_new(mem, cpu, 0, SECOND, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE))
    zs_access(mem, cpu, SECOND, 1)
    return back


@kernel
def check(mem, cpu):
    """The object is as it was written; it is freed, so no zspage is left."""
    zs_access(mem, cpu, SECOND, 0)
    zs_free(mem, cpu, SECOND)
    return 0


MODEL = Model(
    "zspage-putback",
    "a zspage is emptied while its isolator puts it back, and its frame and descriptor are used again",
    "P10; F5, I13, I16",
    small_geometry(2, words_per_frame=8),
    prepare,
    steps,
    check,
    meetings=("met_zspage_emptied_while_isolated",),
)
