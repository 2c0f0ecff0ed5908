"""The frozen-bit count without the maintainers' condition: what frees for the last time clears the count, as set_page_count(page, 0) does.

As refcount-frozen-bit in all else. A late adder that meets the cleared count finds zero, which is alive under this scheme, believes that it
holds a reference on what is free, and its put frees the frame for a second time.
"""

from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import REFCOUNT_FROZEN_BIT
from kernels.page.folio import folio_publish
from kernels.page.refcount import ref_put_testzero
from stress.explore.model import Model, small_geometry
from stress.explore.models.refcount.refcount_frozen_bit import DESC, add_late, prepare, retire


@kernel
def put(mem, cpu, desc):
    """As refcount-frozen-bit's, but for the count of what is free in the end.

    Returns     lives that ended here
    """
    ended = 0
    while ref_put_testzero(mem, cpu, desc, 1):
        ended += 1
        if not retire(mem, cpu, desc):
            store_relaxed(mem.refcount, desc, 0)  # the condition is broken here
            break
        folio_publish(mem, cpu, desc, 1)
    return ended


@kernel
def steps(mem, cpu):
    """The owner puts; the others add, and put if they could.

    Returns     lives that ended here
    """
    desc = mem.scratch[DESC]
    if cpu != 0 and not add_late(mem, cpu, desc):
        return 0
    return put(mem, cpu, desc)


@kernel
def check(mem, cpu):
    """Nobody is late any more: all that matters is whether the count says free.

    Returns     the count
    """
    return load_relaxed(mem.refcount, mem.scratch[DESC])


MODEL = Model(
    "refcount-frozen-bit-cleared",
    "the frozen-bit count, cleared on a folio that has been freed",
    "linux-mm.md 1.2; A12, I2",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_kept",),
    breaks="the bit on a freed folio is cleared before the next allocation (double free)",
    at_rest=False,
)
