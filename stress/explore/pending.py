"""What each task, and each store buffer, is about to do."""

from kernels.base.jit import kernel
from kernels.base.points import AWAIT, EXCHANGE, KIND_MASK, REQUEST_WORDS, REQUESTS, STORE
from stress.explore.state import BUFFER_CAPACITY, BUFFER_WORDS, BUFFERS, FLUSH, MEMORY_MODEL, SC


@kernel
def pending_address(s, who):
    """The address of the pending access; 0 for a fence or a wait."""
    if who >= FLUSH:
        return s[BUFFERS + (who - FLUSH) * BUFFER_CAPACITY * BUFFER_WORDS]
    return s[REQUESTS + who * REQUEST_WORDS + 1]


@kernel
def pending_writes(s, who):
    """Whether the pending access may change memory; a store that only enters a buffer does not."""
    if who >= FLUSH:
        return True
    kind = s[REQUESTS + who * REQUEST_WORDS] & KIND_MASK
    if kind == STORE:
        return s[MEMORY_MODEL] == SC
    return (STORE < kind and kind <= EXCHANGE) or kind == AWAIT
