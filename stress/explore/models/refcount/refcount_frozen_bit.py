"""The frozen-bit count under late adders: the owner's last put, the frame's next life, and CPUs that add through an old word.

CPU 0 puts the only reference of a folio. The CPU that puts last frees it and immediately gets its frame and descriptor for a second life,
as the allocator's last-in, first-out lists make it; it puts that life, too. CPUs 1 and 2 hold the word of the first life, so they may add
at any time: while the folio lives, while it is free, or in the second life. The maintainers' condition (A12) is that the bit on a freed
folio is not cleared before the next allocation sets the count; refcount-frozen-bit-cleared drops it. Each life must end exactly once.

The model is small so that every interleaving is explored: the transitions of the count are the kernels', the allocator is a shadow word.
Bounds: three CPUs, two lives of one frame, two late adders with two adds each. refcount-frozen-bit-folio is the whole path, for samplers.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base import counter
from kernels.base.atomics import load_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_WORD_CHANGED, FROZEN, MT_MOVABLE, NONE_WORD, REFCOUNT_FROZEN_BIT, SH_OWNED, SH_PCP, T_ANON
from kernels.base.vmstat import count
from kernels.page.folio import desc_free, folio_prepare, folio_publish, folio_retire_words
from kernels.page.refcount import ref_put_testzero, ref_try_get
from kernels.page.shadow import shadow_move
from stress.explore.model import Model, small_geometry

DESC, FRAME, LIVES = range(3)  # scratch: the descriptor, its frame, and how many lives are still to come


@kernel
def prepare(mem, cpu):
    """A published folio of one frame, with one reference, and one more life to come."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    desc = folio_prepare(mem, cpu, T_ANON, pfn, 0, 3, 0)
    folio_publish(mem, cpu, desc, 1)
    mem.scratch[DESC], mem.scratch[FRAME], mem.scratch[LIVES] = desc, pfn, 1
    return 0


@kernel
def retire(mem, cpu, desc):
    """Free the folio; the shadow word finds a double free.

    Returns     whether the frame has another life
    """
    shadow_move(mem, cpu, mem.scratch[FRAME], 0, SH_OWNED, SH_PCP)
    folio_retire_words(mem, cpu, desc)
    lives = mem.scratch[LIVES]
    if lives == 0:
        return False
    mem.scratch[LIVES] = lives - 1
    shadow_move(mem, cpu, mem.scratch[FRAME], 0, SH_PCP, SH_OWNED)
    return True


@kernel
def put(mem, cpu, desc):
    """Put; the CPU that puts last frees, gets the next life and puts it.

    Returns     lives that ended here
    """
    ended = 0
    while ref_put_testzero(mem, cpu, desc, 1):
        ended += 1
        if not retire(mem, cpu, desc):
            break
        folio_publish(mem, cpu, desc, 1)
    return ended


@kernel
def add_late(mem, cpu, desc):
    """Add to the count through an old word.

    Returns     whether it became a reference, which must be put
    """
    if ref_try_get(mem, cpu, desc):
        count(mem, cpu, counter.SPEC_KEPT, 1)
        return True
    count(mem, cpu, counter.SPEC_FAILED_ON_ZERO, 1)
    return False


@kernel
def steps(mem, cpu):
    """The owner puts; the others add, and put if they got a reference.

    Returns     lives that ended here
    """
    desc = mem.scratch[DESC]
    if cpu == 0:
        return put(mem, cpu, desc)
    ended = 0
    for _ in range(2):
        if add_late(mem, cpu, desc):
            ended += put(mem, cpu, desc)
    if ended > 0:
        count(mem, cpu, counter.SPEC_HELD_LAST_REFERENCE, 1)
    return ended


@kernel
def check(mem, cpu):
    """Both lives have ended, no word leads to the folio, and no addition is left in its count."""
    desc, pfn = mem.scratch[DESC], mem.scratch[FRAME]
    if mem.scratch[LIVES] != 0 or load_relaxed(mem.refcount, desc) != FROZEN:
        bug(mem, cpu, BUG_WORD_CHANGED, pfn, load_relaxed(mem.refcount, desc), FROZEN)
    if load_relaxed(mem.memdesc, pfn) != NONE_WORD:
        bug(mem, cpu, BUG_WORD_CHANGED, pfn, load_relaxed(mem.memdesc, pfn), NONE_WORD)
    shadow_move(mem, cpu, pfn, 0, SH_PCP, SH_OWNED)
    desc_free(mem, cpu, desc)
    free_frozen_pages(mem, cpu, pfn, 0)
    return 0


MODEL = Model(
    "refcount-frozen-bit",
    "the frozen-bit count: last puts and two lives of a frame against two late adders",
    "P2, P4; A12, I2, I3",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_failed_on_zero", "spec_kept", "spec_held_last_reference", "met_put_lost_to_a_get"),
)
