"""The count against an oracle that does one operation at a time: gets, puts, a freeze.

CPU 0 holds the only reference: it tries to freeze the count, unfreezes it, and puts. CPUs 1 and 2 try to get a reference, and put it. Every
result must be possible in an order of the operations that keeps what returned before what began: a get fails only if the count was frozen
at some moment of it, and exactly one put is the last.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base import counter
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, T_ANON
from kernels.base.vmstat import count
from kernels.page.folio import folio_prepare, folio_publish
from kernels.page.refcount import ref_freeze, ref_put_testzero, ref_try_get, ref_unfreeze
from stress.explore.linearizability import REFCOUNT, REFCOUNT_NAMES
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check
from stress.explore.models._history import invoke, record

TRY_GET, PUT, FREEZE, UNFREEZE = range(len(REFCOUNT_NAMES))
DESC = 0  # scratch: the descriptor


@kernel
def prepare(mem, cpu):
    """A published folio of one frame, with one reference."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    desc = folio_prepare(mem, cpu, T_ANON, pfn, 0, 3, 0)
    begin = invoke(mem)
    folio_publish(mem, cpu, desc, 1)
    record(mem, cpu, begin, UNFREEZE, desc, 1)
    mem.scratch[DESC] = desc
    return 0


@kernel
def put(mem, cpu, desc):
    """Put a reference. The folio is never freed."""
    begin = invoke(mem)
    record(mem, cpu, begin, PUT, desc, 1 if ref_put_testzero(mem, cpu, desc, 1) else 0)


@kernel
def steps(mem, cpu):
    """The owner freezes, unfreezes and puts. The others get and put.

    Returns     whether the freeze or the get succeeded
    """
    desc = mem.scratch[DESC]
    begin = invoke(mem)
    if cpu == 0:
        frozen = ref_freeze(mem, cpu, desc, 1)
        record(mem, cpu, begin, FREEZE, desc, 1 if frozen else 0)
        if frozen:
            begin = invoke(mem)
            ref_unfreeze(mem, cpu, desc, 1)
            record(mem, cpu, begin, UNFREEZE, desc, 1)
        put(mem, cpu, desc)
        return 1 if frozen else 0
    got = ref_try_get(mem, cpu, desc)
    record(mem, cpu, begin, TRY_GET, desc, 1 if got else 0)
    if not got:
        count(mem, cpu, counter.SPEC_FAILED_ON_ZERO, 1)
        return 0
    count(mem, cpu, counter.SPEC_KEPT, 1)
    put(mem, cpu, desc)
    return 1


MODEL = Model(
    "refcount-linearizable",
    "gets, puts and a freeze of one count against an oracle: every result is that of some sequential order",
    "P4; I2, I3",
    small_geometry(3),
    prepare,
    steps,
    no_check,
    meetings=("spec_failed_on_zero", "spec_kept"),
    at_rest=False,  # the count ends at 0, and the folio is not freed
    oracle=REFCOUNT,
)
