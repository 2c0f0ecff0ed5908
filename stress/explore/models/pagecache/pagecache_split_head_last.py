"""B8, second candidate: the split unfreezes the head after all slots have been updated, and the lookup is Linux's.

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
    return split(mem, cpu, False) if cpu == 0 else look_up_last(mem, cpu, False)


MODEL = Model(
    "pagecache-split-head-last",
    "a split that unfreezes the head last, against a lookup that checks the slot again and not the folio",
    "P5, P18; B8, I10",
    small_geometry(2),
    prepare,
    steps,
    check,
    meetings=("met_split_refused_by_reference", "spec_failed_on_zero", "met_lookup_reload_changed"),
)
