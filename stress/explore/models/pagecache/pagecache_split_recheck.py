"""B8, first candidate: the lookup checks the slot again and then the folio's range, and retries if the folio does not cover the page.

All else is as in pagecache-split-linux.
"""

from kernels.base.jit import kernel
from stress.explore.model import Model, small_geometry
from stress.explore.models.pagecache._split import check, look_up_last, prepare, split


@kernel
def steps(mem, cpu):
    """Split; look the last page up.

    Returns     whether it was split, or found
    """
    return split(mem, cpu, True) if cpu == 0 else look_up_last(mem, cpu, True)


MODEL = Model(
    "pagecache-split-recheck",
    "a split that unfreezes the head first, against a lookup that also checks the folio's range",
    "P5, P18; B8, I10",
    small_geometry(2),
    prepare,
    steps,
    check,
    meetings=("met_split_refused_by_reference", "met_lookup_reload_changed"),
)
