"""The frozen-bit count against the same oracle: neither late adders nor a put that loses to a get show in any result."""

from dataclasses import replace

from kernels.base.layout import REFCOUNT_FROZEN_BIT
from stress.explore.models import refcount_linearizable

MODEL = replace(
    refcount_linearizable.MODEL,
    name="refcount-frozen-bit-linearizable",
    summary="gets, puts and a freeze of one frozen-bit count against an oracle: every result is that of one at a time",
    params={"policy_refcount": REFCOUNT_FROZEN_BIT},
    meetings=("spec_failed_on_zero", "spec_kept", "met_put_lost_to_a_get"),
)
