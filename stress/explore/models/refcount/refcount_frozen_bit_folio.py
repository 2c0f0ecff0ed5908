"""The frozen-bit count on the whole path: refcount-cas under the other policy, with two CPUs that speculate.

What refcount-frozen-bit leaves to a shadow word is the real thing here: words, descriptors, per-CPU lists.
"""

from kernels.base.layout import REFCOUNT_FROZEN_BIT
from stress.explore.model import Model, small_geometry
from stress.explore.models.refcount.refcount_cas import check, prepare, steps

MODEL = Model(
    "refcount-frozen-bit-folio",
    "the frozen-bit count on the whole path: last put, free and re-allocation against two speculators",
    "linux-mm.md 1.2, 2.2, 2.3; A1-A3, A12",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_failed_on_zero", "spec_undone_by_recheck", "spec_held_last_reference", "spec_kept", "met_put_lost_to_a_get"),
)
