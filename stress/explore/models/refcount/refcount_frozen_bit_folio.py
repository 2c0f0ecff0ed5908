"""The frozen-bit count on the whole path: refcount-cas under the other policy, with two CPUs that speculate.

Words, descriptors and per-CPU lists are the real ones here; refcount-frozen-bit has a shadow word in their place.
"""

from kernels.base.layout import REFCOUNT_FROZEN_BIT
from stress.explore.model import Model, small_geometry
from stress.explore.models.refcount.refcount_cas import check, prepare, steps

MODEL = Model(
    "refcount-frozen-bit-folio",
    "the frozen-bit count on the whole path: last put, free and reuse against two speculators",
    "P2, P4, P6; A3, A12, I4, I5, I10",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_failed_on_zero", "spec_undone_by_recheck", "spec_held_last_reference", "spec_kept", "met_put_lost_to_a_get"),
)
