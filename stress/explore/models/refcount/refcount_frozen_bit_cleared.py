"""The frozen-bit count without the maintainers' condition: the last free clears the count, as set_page_count(page, 0) does.

All else is as in refcount-frozen-bit. A late adder that meets the cleared count reads zero, which means alive under this scheme. It
believes that it has a reference on a free folio, and its put frees the frame a second time.
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
    """As in refcount-frozen-bit, but the last free clears the count.

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
    """The owner puts; the others add, and put if they got a reference.

    Returns     lives that ended here
    """
    desc = mem.scratch[DESC]
    if cpu != 0 and not add_late(mem, cpu, desc):
        return 0
    return put(mem, cpu, desc)


@kernel
def check(mem, cpu):
    """The final count tells whether the folio is free.

    Returns     the count
    """
    return load_relaxed(mem.refcount, mem.scratch[DESC])


MODEL = Model(
    "refcount-frozen-bit-cleared",
    "the frozen-bit count, cleared on a folio that has been freed",
    "P2; A12, I2",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_kept",),
    breaks="the bit on a freed folio is cleared before the next allocation (double free)",
    at_rest=False,
)
