"""B8 as production met it: a lookup through a sibling finds the old head again, which is alive and does not cover the page any more.

The lookup loads the head through a sibling; the split runs up to the slots; the reference is granted, since the head is unfrozen; the
slot is still the sibling, so that looking at it again proves nothing; and VM_BUG_ON_FOLIO(!folio_contains()) fires.
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
    "a split that lets go of the head first, against a lookup that looks at the slot again and not at the folio",
    "linux-mm.md 2.2; B8, I10",
    small_geometry(2),
    prepare,
    steps,
    check,
    meetings=("met_split_refused_by_reference",),
    breaks="the head is unfrozen before the slots of the other pieces are updated (B8)",
)
