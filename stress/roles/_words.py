"""What roles that hold uncounted frames share: their memdesc words, and the stamp in their contents."""

from kernels.alloc.buddy import nid_of
from kernels.base.atomics import store_relaxed
from kernels.base.jit import kernel
from kernels.page.folio import set_words
from kernels.page.memdesc import misc_word

#: the stamp of frames that belong to no task and no file; the low bits are the holder's number
KERNEL_STAMP = 1 << 60


@kernel
def set_misc_words(mem, pfn, order, subtype):
    """Write the memdesc words of an uncounted block: tails first, the head last.

    Progress    wait-free
    """
    nid = nid_of(mem, pfn)
    set_words(mem, pfn, order, misc_word(subtype, order, nid, 1))
    store_relaxed(mem.memdesc, pfn, misc_word(subtype, order, nid, 0))
