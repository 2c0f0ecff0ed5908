"""Speculative references against the last put, and against the next use of the frame and of the descriptor.

CPU 0 owns a folio: it puts it, keeps its frame for something without a descriptor, and makes a folio of another frame, which gets the same
descriptor. CPU 1 takes a reference through the word that it finds at the first frame, checks the word again, and may put last, also the
second folio. A reference that survives the re-check must be on a folio that covers the frame.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.alloc.release import folio_put, try_get_pfn
from kernels.base.atomics import load_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_FOLIO_RANGE, BUG_WORD_CHANGED, MT_MOVABLE, NONE_WORD, T_ANON
from kernels.page.folio import folio_covers, folio_prepare, folio_publish
from stress.explore.model import Model, small_geometry

MAPPING = 3
DESC, FRAME = range(2)  # scratch: the descriptor and the frame of the folio that CPU 0 begins with


@kernel
def new_folio(mem, cpu):
    """A published anonymous folio of one frame, with one reference.

    Returns     its descriptor
    """
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    desc = folio_prepare(mem, cpu, T_ANON, pfn, 0, MAPPING, 0)
    folio_publish(mem, cpu, desc, 1)
    return desc


@kernel
def prepare(mem, cpu):
    """CPU 0 owns a folio."""
    desc = new_folio(mem, cpu)
    mem.scratch[DESC], mem.scratch[FRAME] = desc, mem.folio_pfn[desc]
    return 0


@kernel
def steps(mem, cpu):
    """The owner puts, allocates twice, puts and frees. The other CPU takes a reference on the owner's first frame.

    Returns     whether the reference survived the re-check
    """
    if cpu == 0:
        folio_put(mem, cpu, mem.scratch[DESC])
        pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        folio_put(mem, cpu, new_folio(mem, cpu))
        free_frozen_pages(mem, cpu, pfn, 0)
        return 0
    pfn = mem.scratch[FRAME]
    desc = try_get_pfn(mem, cpu, pfn)
    if desc < 0:
        return 0
    if not folio_covers(mem, desc, pfn):
        bug(mem, cpu, BUG_FOLIO_RANGE, pfn, mem.folio_pfn[desc], pfn)
    folio_put(mem, cpu, desc)
    return 1


@kernel
def check(mem, cpu):
    """The frame is free."""
    word = load_relaxed(mem.memdesc, mem.scratch[FRAME])
    if word != NONE_WORD:
        bug(mem, cpu, BUG_WORD_CHANGED, mem.scratch[FRAME], word, NONE_WORD)
    return 0


MODEL = Model(
    "refcount-cas",
    "get-unless-zero with its re-check against last put, free and reuse of the same frame and descriptor",
    "P4, P6; A3, I4, I5, I10",
    small_geometry(2),
    prepare,
    steps,
    check,
    meetings=("spec_failed_on_zero", "spec_undone_by_recheck", "spec_held_last_reference", "spec_kept"),
)
