"""The symptom of B8: a lookup through a sibling finds the old head again, which is alive and no longer covers the page.

The lookup loads the head through a sibling. The split runs up to the slots. The lookup gets its reference, since the head is unfrozen. The
slot is still the sibling, so checking it again proves nothing, and VM_BUG_ON_FOLIO(!folio_contains()) fires. Linux's split unfreezes the
head last, so B8 has another cause there: docs/invariants.md, B8.
"""

from kernels.base.jit import kernel
from stress.explore.model import Model, small_geometry
from stress.explore.models.pagecache._split import check, look_up_last, prepare, split


@kernel
def steps(mem, cpu):
    """Split; look the last page up.

    Returns     whether it was split, or found
    """
    return split(mem, cpu, True) if cpu == 0 else look_up_last(mem, cpu, False)


MODEL = Model(
    "pagecache-split-linux",
    "a split that unfreezes the head first, against a lookup that checks the slot again and not the folio",
    "P5, P18; B8, I10",
    small_geometry(2),
    prepare,
    steps,
    check,
    meetings=("met_split_refused_by_reference",),
    breaks="the head is unfrozen before the slots of the other pieces are updated (B8)",
)
