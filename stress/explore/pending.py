"""The pending step of each task, and of each store buffer."""

from kernels.base.jit import kernel
from kernels.base.points import AWAIT, EXCHANGE, KIND_MASK, REQUEST_WORDS, REQUESTS, STORE
from stress.explore.memory_models import entry_at
from stress.explore.state import B_ADDRESS, FLUSH, NR_LANES


@kernel
def pending_address(s, who):
    """The address of the pending access; 0 for a fence or a wait."""
    if who >= FLUSH:
        return s[entry_at(s, who - FLUSH, 0) + B_ADDRESS]
    return s[REQUESTS + who * REQUEST_WORDS + 1]


@kernel
def pending_word(s, who):
    """The word in memory that the pending step touches; 0 for a fence, a wait, and a store that only enters a buffer."""
    if who < FLUSH and s[NR_LANES] > 0 and s[REQUESTS + who * REQUEST_WORDS] & KIND_MASK == STORE:
        return 0
    return pending_address(s, who)


@kernel
def pending_writes(s, who):
    """Whether the pending access may change memory; a store that only enters a buffer does not."""
    if who >= FLUSH:
        return True
    kind = s[REQUESTS + who * REQUEST_WORDS] & KIND_MASK
    if kind == STORE:
        return s[NR_LANES] == 0
    return (STORE < kind and kind <= EXCHANGE) or kind == AWAIT
