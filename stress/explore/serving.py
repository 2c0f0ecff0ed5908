"""Serving requests: accesses are made on behalf of their tasks, logged, and passed to the race detector.

A task calls serve() on its own stack with each request. Private accesses (privacy.py) are made there; all others when they are chosen.
"""

from kernels.base.jit import kernel
from kernels.base.points import (
    BASE,
    BYTES_MASK,
    BYTES_SHIFT,
    CURRENT,
    END,
    FENCE,
    FIELD_SHIFT,
    KIND_MASK,
    LEAVE,
    LOAD,
    ORDER_MASK,
    ORDER_SHIFT,
    PEEK,
    PHASE,
    PLAIN,
    REQUEST_WORDS,
    REQUESTS,
    RESULT,
    STORE,
    WAIT,
    load_word,
)
from stress.explore.livelock import LOOPS_FROM
from stress.explore.memory_models import (
    apply,
    can_flush,
    entry_at,
    entry_number,
    flush_oldest,
    is_ready,
    load_early,
    newest_own,
    order_loads,
    visible_word,
)
from stress.explore.pending import pending_address
from stress.explore.privacy import is_own_word, is_private, note_touch
from stress.explore.races import known_slot, note_access, note_flush
from stress.explore.state import (
    B_ADDRESS,
    B_VALUE,
    B_WIDTH,
    BROKEN,
    CHOICES,
    DONE,
    FIELD_BEGIN,
    FIELD_END,
    FLUSH,
    FLUSH_OP,
    LOADS_EARLY,
    LOG,
    LOG_ADDRESS,
    LOG_BEFORE,
    LOG_ENABLED,
    LOG_FIRST,
    LOG_OP,
    LOG_RESULT,
    LOG_SECOND,
    LOG_TASK,
    LOG_WORDS,
    LOGGING,
    NR_BUFFERED,
    NR_LANES,
    NR_MADE,
    NR_STEPS,
    NR_TASKS,
    OUT_OF_BOUNDS,
    PRIVACY,
    PRIVATE_IN_A_ROW,
    RACES,
    RESULTS,
    RUNNING,
    SLOT,
    STATUS,
    STEPS,
    UNDECIDED,
    VERDICT,
    VERSION_SHIFT,
    WAITING,
)

PRIVATE_STEPS_MAX = 256  # in a row


@kernel
def in_bounds(s, op, address):
    """Whether a request is about an element that its field has."""
    number = op >> FIELD_SHIFT
    return s[FIELD_BEGIN + number] <= address and address < s[FIELD_END + number]


@kernel
def log_step(s, chosen, mask):
    """Log a step before it is made; make_access() adds its result."""
    at = LOG + s[NR_STEPS] * LOG_WORDS
    s[at + LOG_TASK], s[at + LOG_ENABLED] = s[CHOICES + s[NR_STEPS]], mask
    if chosen >= FLUSH:
        entry = entry_at(s, chosen - FLUSH, 0)
        address, width = s[entry + B_ADDRESS], s[entry + B_WIDTH]
        s[at + LOG_OP], s[at + LOG_FIRST], s[at + LOG_SECOND] = FLUSH_OP | width << BYTES_SHIFT, s[entry + B_VALUE], 0
    else:
        request = REQUESTS + REQUEST_WORDS * chosen
        address, width = s[request + 1], s[request] >> BYTES_SHIFT & BYTES_MASK
        s[at + LOG_OP], s[at + LOG_FIRST], s[at + LOG_SECOND] = s[request], s[request + 2], s[request + 3]
    s[at + LOG_ADDRESS] = address - s[BASE] if address != 0 else 0
    s[at + LOG_BEFORE] = load_word(address, width) if address != 0 else 0


@kernel
def make_access(s, task, mask, version):
    """Make the access that a task requested.

    Parameters  mask: the set from which it was chosen; 0 for a private access
                version: which older value a load returns; 0: the newest
    """
    s[CHOICES + s[NR_STEPS]] = task | version << VERSION_SHIFT
    if s[LOGGING]:
        log_step(s, task, mask)
    at = REQUESTS + REQUEST_WORDS * task
    op, address, first = s[at], s[at + 1], s[at + 2]
    if s[PRIVACY] and op & KIND_MASK != WAIT:
        note_touch(s, task)
    if version > 0:
        s[RESULT] = load_early(s, task, op, address, version)
    else:
        s[RESULT] = apply(s, task, op, address, first, s[at + 3])
    if s[LOADS_EARLY]:
        s[NR_MADE + task] += 1
        if version == 0:
            order_loads(s, task, op, address)
    if s[LOGGING]:
        s[LOG + s[NR_STEPS] * LOG_WORDS + LOG_RESULT] = s[RESULT]
    if s[RACES] and (mask != 0 or op >> ORDER_SHIFT & ORDER_MASK != PLAIN):  # a private plain access races with nothing
        forwarded = op & KIND_MASK == LOAD and newest_own(s, task, address) >= 0
        note_access(s, task, op, first, s[RESULT], forwarded, version > 0)
    s[NR_STEPS] += 1


@kernel
def make_flush(s, chosen, mask):
    """The oldest store of a lane reaches memory.

    Parameters  chosen: the number of the flush
    """
    s[CHOICES + s[NR_STEPS]] = chosen
    if s[LOGGING]:
        log_step(s, chosen, mask)
    if s[RACES]:
        note_flush(s, pending_address(s, chosen), entry_number(s, chosen - FLUSH, 0))
    flush_oldest(s, chosen - FLUSH)
    s[NR_STEPS] += 1


@kernel
def flush_private_stores(s, task):
    """A task's private stores reach memory, each as soon as the stores before it have."""
    for lane in range(s[NR_LANES]):
        buffer = lane * s[NR_TASKS] + task
        while can_flush(s, buffer) and is_own_word(s, task, pending_address(s, FLUSH + buffer)) and s[NR_STEPS] < LOOPS_FROM:
            make_flush(s, FLUSH + buffer, 0)


@kernel
def may_be_served(s, task):
    """Whether serve() makes the access: a private one, but not too many in a row, since the task may poll for a task not yet started."""
    if not s[PRIVACY] or s[VERDICT] != UNDECIDED or s[NR_STEPS] >= LOOPS_FROM or s[PRIVATE_IN_A_ROW] == PRIVATE_STEPS_MAX:
        return False
    at = REQUESTS + REQUEST_WORDS * task
    return is_private(s, task) and is_ready(s, task, s[at], s[at + 1], s[at + 2])


@kernel
def serve(s):
    """Serve the request of the current task, on that task's stack: a private access and a peek are made here.

    Returns     1 if the request was answered; 0 if the task must switch to the scheduler
    """
    task = s[CURRENT]
    at = REQUESTS + REQUEST_WORDS * task
    kind = s[at] & KIND_MASK
    s[STATUS + task] = WAITING if kind == WAIT else DONE if kind == END else RUNNING
    if kind == WAIT:
        return 0
    if kind == END:
        if s[PHASE] == STEPS:  # the check's result, as task 0, is no part of the final state
            s[RESULTS + task] = s[at + 2]
        return 0
    if kind == LEAVE:
        s[VERDICT] = BROKEN
        return 0
    if kind != FENCE:
        if not in_bounds(s, s[at], s[at + 1]):
            s[VERDICT] = OUT_OF_BOUNDS
            return 0
        if kind == PEEK:  # a checker's own load
            s[RESULT] = visible_word(s, task, s[at + 1], s[at] >> BYTES_SHIFT & BYTES_MASK)
            return 1
        if s[PHASE] == STEPS and (s[RACES] or s[PRIVACY]):
            s[SLOT + task] = known_slot(s, s[at + 1])
    if s[PHASE] != STEPS or not may_be_served(s, task):
        return 0
    s[PRIVATE_IN_A_ROW] += 1
    make_access(s, task, 0, 0)
    if kind == STORE and s[NR_BUFFERED + task] > 0:
        flush_private_stores(s, task)
    return 1
