"""The pending step of each task, and of each store buffer."""

from kernels.base.jit import kernel
from kernels.base.points import AWAIT, EXCHANGE, KIND_MASK, REQUEST_WORDS, REQUESTS, STORE
from stress.explore.memory_models import entry_at
from stress.explore.state import B_ADDRESS, FLUSH, NR_LANES


@kernel
def pending_address(s, member):
    """The address of the pending access; 0 for a fence or a wait."""
    if member >= FLUSH:
        return s[entry_at(s, member - FLUSH, 0) + B_ADDRESS]
    return s[REQUESTS + member * REQUEST_WORDS + 1]


@kernel
def pending_word(s, member):
    """The word in memory that the pending step touches; 0 for a fence, a wait, and a store that only enters a buffer."""
    if member < FLUSH and s[NR_LANES] > 0 and s[REQUESTS + member * REQUEST_WORDS] & KIND_MASK == STORE:
        return 0
    return pending_address(s, member)


@kernel
def pending_writes(s, member):
    """Whether the pending access may change memory; a store that only enters a buffer does not."""
    if member >= FLUSH:
        return True
    kind = s[REQUESTS + member * REQUEST_WORDS] & KIND_MASK
    if kind == STORE:
        return s[NR_LANES] == 0
    return (STORE < kind and kind <= EXCHANGE) or kind == AWAIT
