"""pagecache-removal with the frozen-bit count: adders read the folio after an add that acquires."""

from kernels.base.layout import REFCOUNT_FROZEN_BIT
from stress.explore.model import Model, small_geometry
from stress.explore.models.pagecache.pagecache_removal import check, prepare, steps

MODEL = Model(
    "pagecache-removal-frozen-bit",
    "lockless lookups with the frozen-bit count against truncation and reading in of the same index",
    "P2, P5, P18; A12, I4, I5, I10",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_failed_on_zero", "met_lookup_reload_changed", "spec_held_last_reference"),
)
