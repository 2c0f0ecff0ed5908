"""The frozen-bit count against the same oracle: neither late adders nor a put that loses to a get show in any result."""

from kernels.base.layout import REFCOUNT_FROZEN_BIT
from stress.explore.linearizability import REFCOUNT
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check
from stress.explore.models.refcount.refcount_linearizable import prepare, steps

MODEL = Model(
    "refcount-frozen-bit-linearizable",
    "gets, puts and a freeze of one frozen-bit count against an oracle: every result is that of one at a time",
    "linux-mm.md 1.2, 2.2, 2.3; I3, I5",
    small_geometry(3),
    prepare,
    steps,
    no_check,
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_failed_on_zero", "spec_kept", "met_put_lost_to_a_get"),
    at_rest=False,
    oracle=REFCOUNT,
)
