"""The frozen-bit count against the oracle of refcount-linearizable.

Neither a late addition nor a put that loses to a get may show in any result.
"""

from kernels.base.layout import REFCOUNT_FROZEN_BIT
from stress.explore.linearizability import REFCOUNT
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check
from stress.explore.models.refcount.refcount_linearizable import prepare, steps

MODEL = Model(
    "refcount-frozen-bit-linearizable",
    "gets, puts and a freeze of one frozen-bit count against an oracle: every result is that of some sequential order",
    "P2, P4; I2, I3",
    small_geometry(3),
    prepare,
    steps,
    no_check,
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_failed_on_zero", "spec_kept", "met_put_lost_to_a_get"),
    at_rest=False,  # the count ends at 0, and the folio is not freed
    oracle=REFCOUNT,
)
