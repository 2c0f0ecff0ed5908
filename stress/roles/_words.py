"""What roles that hold uncounted frames share: the words and the stamp that say whose they are."""

from kernels.alloc.buddy import nid_of
from kernels.base.atomics import store_relaxed
from kernels.base.jit import kernel
from kernels.page.folio import set_words
from kernels.page.memdesc import misc_word

#: a stamp of no task and no file; the holder's number stands below it
KERNEL_STAMP = 1 << 60


@kernel
def set_misc_words(mem, pfn, order, subtype):
    """Say what uncounted frames are: the head's word, then tails.

    Progress    wait-free
    """
    nid = nid_of(mem, pfn)
    set_words(mem, pfn, order, misc_word(subtype, order, nid, 1))
    store_relaxed(mem.memdesc, pfn, misc_word(subtype, order, nid, 0))
