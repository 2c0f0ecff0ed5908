"""What an access does under SC, x86-TSO, PSO and RMO: store buffers, and loads that are made early. Compiled, or interpreted.

x86-TSO (P. Sewell et al., "x86-TSO: a rigorous and usable programmer's model", CACM 2010): a store enters its task's FIFO; a load takes
the newest entry of its task's buffer for the word, else memory; a locked instruction or a full fence runs only when the buffer of its task
is empty. Flushing the oldest entry is a step that a strategy chooses, as in dejafu (Zhang, Kusano, Wang, PLDI 2015). LLVM compiles relaxed
and release stores to plain moves, which are buffered, and every read-modify-write to a locked instruction.

PSO is weaker: a lane per word, each a FIFO, so stores to different words reach memory in any order, and orderings count. A release store
leaves the buffer after all stores before it; later ones may pass it, as in C11. A full fence, and a read-modify-write that releases, wait
for the whole buffer; a read-modify-write that does not release waits only for its task's stores to its word (SPARC V8's swap, and an arm64
read-modify-write without a release half). Loads are made in order, so acquire costs nothing. A task has state.LANES lanes, taken in turn: a
store to one more word waits until the oldest lane is empty.

RMO is PSO with early loads: an atomic load may return a value that its word had at an earlier moment, as if it had been made then
(versioned loads, as in OEMU: D. Jeong et al., "Ozz: identifying kernel out-of-order concurrency bugs with in-vivo memory access
reordering", SOSP 2024). The undo log has every write of the schedule with the value before it; the length of the log is the time. A load is
made no earlier than its task's last access that acquires, fence or wait (state.HORIZON), and no earlier than the version of the word
that the task has last seen or written (state.COHERENT; words with the same hash share it, which only forbids more). An acquiring load may
overtake relaxed loads before it, too; the horizon is then the last moment at which its word had that value. A read-modify-write returns the
newest value. So does a plain load, since a concurrent write to its word is a race.

Sound for arm64, except for dependencies: every write reaches one memory at one moment (multi-copy atomicity), every load is made at one
moment between the last access that orders it and its place in the program, and the moments of loads of one word do not go back (coherence).
Acquires are RCpc (LDAPR): one may overtake its task's own releases, as in C11 and in Linux's model. Address dependencies are not tracked:
a relaxed load through a pointer just loaded is independent, as on Alpha, so where a protocol relies on the dependency (rcu_dereference())
the kernels need an acquire. Two things that arm64 does are not modelled: a store that overtakes earlier loads, and a read-modify-write
whose two halves are made at two moments.

A wait moves the horizon, so a task that spins sees the new value in the end. A task that was returned an older value need not wait for a
change.
"""

from kernels.base.atomics import ACQUIRE, RELEASE
from kernels.base.jit import kernel
from kernels.base.points import (
    AWAIT,
    BASE,
    BYTES_MASK,
    BYTES_SHIFT,
    CAS,
    EXCHANGE,
    FENCE,
    FETCH_ADD,
    FETCH_AND,
    FETCH_OR,
    KIND_MASK,
    LOAD,
    ORDER_MASK,
    ORDER_SHIFT,
    PLAIN,
    STORE,
    WAIT,
    load_word,
    store_word,
)
from stress.explore.state import (
    B_ADDRESS,
    B_NUMBER,
    B_ORDER,
    B_POINT,
    B_VALUE,
    B_WIDTH,
    BUFFER_CAPACITY,
    BUFFER_WORDS,
    BUFFERED,
    BUFFERS,
    COHERENT,
    FLUSH,
    HASH,
    HORIZON,
    LANE_WORD,
    LOADS_EARLY,
    NEXT_LANE,
    NR_BUFFERED,
    NR_HASHES,
    NR_LANES,
    NR_MADE,
    NR_POINTS,
    NR_STORED,
    NR_TASKS,
    NR_UNDO,
    OLDEST,
    OVERFLOW,
    SEEN,
    UNDO,
    UNDO_CAPACITY,
    UNDO_WORDS,
    VERDICT,
    WAITED_ON,
    WOKEN,
)

MASK48 = (1 << 48) - 1
SIGN32 = 1 << 31


@kernel
def mixed(value):
    """48 well-mixed bits of a word: the same compiled and interpreted, since the low bits of a product do not depend on its high ones."""
    x = value & MASK48
    x = ((x ^ (x >> 23)) * 0x2127599BF433) & MASK48
    x = ((x ^ (x >> 21)) * 0x880355F21E6D) & MASK48
    return x ^ (x >> 24)


@kernel
def state_part(offset, value):
    """What one word contributes to the hash of the whole memory; parts are combined by exclusive or, in any order."""
    return mixed(mixed(offset) ^ (value & MASK48) ^ ((value >> 48) & 0xFFFF))


@kernel
def narrowed(width, value):
    """A value as a field of this width keeps it."""
    if width == 4:
        return ((value + SIGN32) & 0xFFFFFFFF) - SIGN32
    if width == 1:
        return ((value + 128) & 255) - 128
    return value


@kernel
def word_hash(s, address):
    """The hash of a word, below NR_HASHES."""
    return ((address - s[BASE]) >> 2 & MASK48) % NR_HASHES  # masked, so that the compiler knows it is not negative


@kernel
def seen_bit(s, address):
    """The bit of a word in the sets of words that tasks have read since they last waited (a small Bloom filter)."""
    return 1 << word_hash(s, address)


@kernel
def write_memory(s, task, address, width, value):
    """Write to memory. The write enters the undo log and the hash, and wakes the tasks that have read the word."""
    old = load_word(address, width)
    if old == value:
        return
    store_word(address, width, value)
    if s[NR_UNDO] == UNDO_CAPACITY:
        s[VERDICT] = OVERFLOW
        return
    at = UNDO + s[NR_UNDO] * UNDO_WORDS
    s[at], s[at + 1], s[at + 2] = address, width, old
    s[NR_UNDO] += 1
    offset = address - s[BASE]
    s[HASH] ^= state_part(offset, old) ^ state_part(offset, value)
    bit = seen_bit(s, address)
    for other in range(s[NR_TASKS]):
        if other != task and s[SEEN + other] & bit != 0 and s[WOKEN + other] == 0:
            s[WOKEN + other] = max(1, s[NR_POINTS])  # the point that wakes, counted from 1


@kernel
def undo_writes(s):
    """Undo the writes of the schedule, newest first."""
    for k in range(s[NR_UNDO]):
        at = UNDO + (s[NR_UNDO] - 1 - k) * UNDO_WORDS
        store_word(s[at], s[at + 1], s[at + 2])
    s[NR_UNDO] = 0


# ------------------------------------------------------------------------------------------------------------ store buffers


@kernel
def empty_buffer(s, task):
    """A task that begins has stored nothing."""
    s[NR_BUFFERED + task] = s[NR_STORED + task] = s[NEXT_LANE + task] = 0
    for lane in range(s[NR_LANES]):
        buffer = lane * s[NR_TASKS] + task
        s[BUFFERED + buffer] = s[OLDEST + buffer] = s[LANE_WORD + buffer] = 0


@kernel
def entry_number(s, buffer, k):
    """The number of entry k of a lane, the oldest being 0; the lane by number of its flush - FLUSH."""
    return buffer * BUFFER_CAPACITY + (s[OLDEST + buffer] + k) % BUFFER_CAPACITY


@kernel
def entry_at(s, buffer, k):
    """The place of entry k of a lane."""
    return BUFFERS + entry_number(s, buffer, k) * BUFFER_WORDS


@kernel
def lane_of(s, task, address):
    """The lane with a task's stores to a word, by number of its flush - FLUSH; -1 if there is none."""
    if s[NR_LANES] == 1:
        return task
    for lane in range(s[NR_LANES]):
        if s[LANE_WORD + lane * s[NR_TASKS] + task] == address:
            return lane * s[NR_TASKS] + task
    return -1


@kernel
def newest_own(s, task, address):
    """The place of a task's newest buffered store to a word; -1 if there is none."""
    if s[NR_BUFFERED + task] == 0:
        return -1
    buffer = lane_of(s, task, address)
    if buffer >= 0:
        for back in range(s[BUFFERED + buffer]):
            at = entry_at(s, buffer, s[BUFFERED + buffer] - 1 - back)
            if s[at + B_ADDRESS] == address:
                return at
    return -1


@kernel
def visible_word(s, task, address, width):
    """What a task sees at an address: its newest buffered store, else memory."""
    at = newest_own(s, task, address)
    return s[at + B_VALUE] if at >= 0 else load_word(address, width)


@kernel
def buffer_store(s, task, op, address, value):
    """Append to a task's store buffer; is_ready() has made sure that there is room.

    Returns     the number of its entry
    """
    buffer = lane_of(s, task, address)
    if buffer < 0:
        lane = s[NEXT_LANE + task]
        s[NEXT_LANE + task] = (lane + 1) % s[NR_LANES]
        buffer = lane * s[NR_TASKS] + task
        s[LANE_WORD + buffer] = address
    entry = entry_number(s, buffer, s[BUFFERED + buffer])
    at = BUFFERS + entry * BUFFER_WORDS
    width = op >> BYTES_SHIFT & BYTES_MASK
    s[at + B_ADDRESS], s[at + B_WIDTH], s[at + B_VALUE] = address, width, narrowed(width, value)
    s[at + B_NUMBER], s[at + B_POINT], s[at + B_ORDER] = s[NR_STORED + task], s[NR_POINTS], op >> ORDER_SHIFT & ORDER_MASK
    s[BUFFERED + buffer] += 1
    s[NR_BUFFERED + task] += 1
    s[NR_STORED + task] += 1
    return entry


@kernel
def can_flush(s, buffer):
    """Whether the oldest store of a lane may reach memory; a release waits for all earlier stores of its task."""
    if s[BUFFERED + buffer] == 0:
        return False
    at = entry_at(s, buffer, 0)
    if s[at + B_ORDER] < RELEASE or s[NR_LANES] == 1:
        return True
    task = buffer % s[NR_TASKS]
    for lane in range(s[NR_LANES]):
        other = lane * s[NR_TASKS] + task
        if s[BUFFERED + other] > 0 and s[entry_at(s, other, 0) + B_NUMBER] < s[at + B_NUMBER]:
            return False
    return True


@kernel
def flushes(s, task):
    """The set of a task's flushes that can be made now."""
    found = 0
    if s[NR_BUFFERED + task] > 0:
        for lane in range(s[NR_LANES]):
            if can_flush(s, lane * s[NR_TASKS] + task):
                found |= 1 << FLUSH + lane * s[NR_TASKS] + task
    return found


@kernel
def flush_oldest(s, buffer):
    """The oldest store of a lane reaches memory."""
    at = entry_at(s, buffer, 0)
    address, width, value = s[at + B_ADDRESS], s[at + B_WIDTH], s[at + B_VALUE]
    s[BUFFERED + buffer] -= 1
    s[NR_BUFFERED + buffer % s[NR_TASKS]] -= 1
    s[OLDEST + buffer] = (s[OLDEST + buffer] + 1) % BUFFER_CAPACITY
    write_memory(s, buffer % s[NR_TASKS], address, width, value)
    if s[LOADS_EARLY]:
        s[coherent_from(s, buffer % s[NR_TASKS], address)] = s[NR_UNDO]


@kernel
def drain(s, task):
    """All stores of a task reach memory, in an order that can_flush() allows."""
    while s[NR_BUFFERED + task] > 0:
        for lane in range(s[NR_LANES]):
            if can_flush(s, lane * s[NR_TASKS] + task):
                flush_oldest(s, lane * s[NR_TASKS] + task)


@kernel
def is_ready(s, task, op, address, first):
    """Whether a request can be served now.

    A store waits for room in the buffer, a fence and a read-modify-write for stores that must be flushed first, AWAIT until it succeeds.
    """
    kind = op & KIND_MASK
    if kind == AWAIT and load_word(address, op >> BYTES_SHIFT & BYTES_MASK) != first:
        return False
    if s[NR_BUFFERED + task] == 0:
        return True
    if kind == LOAD or kind == WAIT:
        return True
    if kind == FENCE or (s[NR_LANES] == 1 and kind != STORE):
        return False
    buffer = lane_of(s, task, address)
    if kind == STORE:
        if buffer < 0:
            return s[BUFFERED + s[NEXT_LANE + task] * s[NR_TASKS] + task] == 0
        return s[BUFFERED + buffer] < BUFFER_CAPACITY
    return (op >> ORDER_SHIFT & ORDER_MASK) < RELEASE and (buffer < 0 or s[BUFFERED + buffer] == 0)


# ------------------------------------------------------------------------------------------------------------- early loads


@kernel
def acquires(order):
    """Whether an ordering has an acquire half."""
    return order == ACQUIRE or order > RELEASE


@kernel
def begin_loads(s, task):
    """A task that begins sees every write before it."""
    s[NR_MADE + task] = 0
    s[HORIZON + task] = s[NR_UNDO]
    for k in range(NR_HASHES):
        s[COHERENT + task * NR_HASHES + k] = 0


@kernel
def coherent_from(s, task, address):
    """The place of the earliest moment at which a task's loads of a word may be made."""
    return COHERENT + task * NR_HASHES + word_hash(s, address)


@kernel
def may_be_early(s, task, op, address):
    """Whether a request is a load that may be early: an atomic one that does not read its task's buffered store."""
    return op & KIND_MASK == LOAD and op >> ORDER_SHIFT & ORDER_MASK != PLAIN and newest_own(s, task, address) < 0


@kernel
def nr_older(s, task, address):
    """How many older values of a word a task's load may return."""
    found = 0
    for k in range(max(s[HORIZON + task], s[coherent_from(s, task, address)]), s[NR_UNDO]):
        if s[UNDO + k * UNDO_WORDS] == address:
            found += 1
    return found


@kernel
def load_early(s, task, op, address, version):
    """Make an early load: it returns the value that its word had before the version-th newest write to it.

    Returns     that value
    """
    k = s[NR_UNDO]
    while version > 0:
        k -= 1
        if s[UNDO + k * UNDO_WORDS] == address:
            version -= 1
    s[coherent_from(s, task, address)] = k
    if acquires(op >> ORDER_SHIFT & ORDER_MASK):
        s[HORIZON + task] = k
    s[WAITED_ON + task] = address
    s[WOKEN + task] = max(1, s[NR_POINTS])  # the value that it read is older than memory
    return s[UNDO + k * UNDO_WORDS + 2]


@kernel
def order_loads(s, task, op, address):
    """An access returned the newest value: later loads of its word are no older; no later load is, if it acquires, fences or waits."""
    kind = op & KIND_MASK
    if kind == STORE:  # flush_oldest() does this when the store reaches memory
        return
    s[coherent_from(s, task, address)] = s[NR_UNDO]
    if kind >= FENCE or acquires(op >> ORDER_SHIFT & ORDER_MASK):
        s[HORIZON + task] = s[NR_UNDO]


# ---------------------------------------------------------------------------------------------------------------- accesses


@kernel
def apply(s, task, op, address, first, second):
    """Make the access that a task requested.

    Returns     the word seen; for a store the number of its entry in the store buffer, or -1; 0 for a fence or a wait
    """
    kind, width = op & KIND_MASK, op >> BYTES_SHIFT & BYTES_MASK
    if kind == LOAD:
        s[SEEN + task] |= seen_bit(s, address)
        s[WAITED_ON + task] = address
        return visible_word(s, task, address, width)
    if kind == STORE:
        if s[NR_LANES] > 0:
            return buffer_store(s, task, op, address, first)
        write_memory(s, task, address, width, narrowed(width, first))
        return -1
    if kind == FENCE:
        return 0
    if kind == WAIT:
        s[SEEN + task] = 0
        s[WOKEN + task] = 0
        return 0
    s[SEEN + task] |= seen_bit(s, address)
    s[WAITED_ON + task] = address
    old = load_word(address, width)
    new = old
    if kind == CAS or kind == AWAIT:
        if old == narrowed(width, first):
            new = second
    elif kind == FETCH_ADD:
        new = old + first
    elif kind == FETCH_OR:
        new = old | first
    elif kind == FETCH_AND:
        new = old & first
    elif kind == EXCHANGE:
        new = first
    write_memory(s, task, address, width, narrowed(width, new))
    return old
