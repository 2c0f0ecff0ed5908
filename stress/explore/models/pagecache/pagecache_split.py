"""Lockless lookups against the split of the folio that they find, by the kernels as they are.

CPU 0 splits a cached folio of four pages. CPU 1 looks its last page up. The kernels do both that closes B8: the lookup checks the folio's
range, and the split unfreezes the head last.
"""

from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.migrate.split import split_folio
from kernels.page.folio import folio_lock, folio_unlock
from stress.explore.model import Model, small_geometry
from stress.explore.models.pagecache._lookup import look_up
from stress.explore.models.pagecache._split import DESC, LAST, check, prepare


@kernel
def steps(mem, cpu):
    """Split; look the last page up.

    Returns     whether it was split, or found
    """
    if cpu == 0:
        desc = mem.scratch[DESC]
        folio_lock(mem, cpu, desc)
        result = split_folio(mem, cpu, desc)
        folio_unlock(mem, cpu, desc)
        folio_put(mem, cpu, desc)
        return 1 if result == 0 else 0
    return look_up(mem, cpu, LAST)


MODEL = Model(
    "pagecache-split",
    "lockless lookups against the split of the folio that they find",
    "P5, P18; B8, I10",
    small_geometry(2),
    prepare,
    steps,
    check,
    meetings=("met_split_refused_by_reference", "spec_failed_on_zero", "met_lookup_reload_changed"),
)
