"""pagecache-removal under the other policy: the frozen-bit count, whose adders read what they hold after an add that acquires."""

from kernels.base.layout import REFCOUNT_FROZEN_BIT
from stress.explore.model import Model, small_geometry
from stress.explore.models.pagecache.pagecache_removal import check, prepare, steps

MODEL = Model(
    "pagecache-removal-frozen-bit",
    "lookups without a lock by the frozen-bit count against truncation and reading in of the same index",
    "linux-mm.md 1.2, 2.2; A12, B1-B4, I10",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_failed_on_zero", "met_lookup_reload_changed", "spec_held_last_reference"),
)
