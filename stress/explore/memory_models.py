"""What an access does: sequential consistency, and x86-TSO with a store buffer per task. Compiled, and interpreted from the same source.

x86-TSO (P. Sewell et al., "x86-TSO: a rigorous and usable programmer's model", CACM 2010): a store enters its task's FIFO; a load
takes the newest own entry, else memory; a locked instruction or a full fence runs only when the own buffer is empty. Flushing the
oldest entry is a step of its own that a strategy chooses, as in dejafu (Zhang, Kusano, Wang, PLDI 2015). LLVM compiles relaxed
and release stores to plain moves, which buffer, and every read-modify-write to a locked instruction.
"""

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
    REQUEST_WORDS,
    REQUESTS,
    STORE,
    WAIT,
    load_word,
    store_word,
)
from stress.explore.state import (
    BUFFER_CAPACITY,
    BUFFER_WORDS,
    BUFFERED,
    BUFFERS,
    HASH,
    MEMORY_MODEL,
    NR_STEPS,
    NR_TASKS,
    NR_UNDO,
    OVERFLOW,
    SEEN,
    TSO,
    UNDO,
    UNDO_CAPACITY,
    UNDO_WORDS,
    VERDICT,
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
def seen_bit(s, address):
    """The bit of a word in the sets of words that tasks have read since they last waited (a small Bloom filter)."""
    return 1 << ((address - s[BASE]) >> 2) % 61


@kernel
def write_memory(s, task, address, width, value):
    """Change memory for good: undone before the next schedule, counted in the hash, and waking who had read it."""
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
            s[WOKEN + other] = s[NR_STEPS] + 1  # the step that wakes, counted from 1


@kernel
def undo_writes(s):
    """Put back what was written, newest first."""
    for k in range(s[NR_UNDO]):
        at = UNDO + (s[NR_UNDO] - 1 - k) * UNDO_WORDS
        store_word(s[at], s[at + 1], s[at + 2])
    s[NR_UNDO] = 0


@kernel
def visible_word(s, task, address, width):
    """What a task sees at an address: its own newest buffered store, else memory."""
    for k in range(s[BUFFERED + task]):
        at = BUFFERS + (task * BUFFER_CAPACITY + s[BUFFERED + task] - 1 - k) * BUFFER_WORDS
        if s[at] == address:
            return s[at + 2]
    return load_word(address, width)


@kernel
def buffer_store(s, task, address, width, value):
    """Append to a task's store buffer; the caller has seen that there is room."""
    at = BUFFERS + (task * BUFFER_CAPACITY + s[BUFFERED + task]) * BUFFER_WORDS
    s[at], s[at + 1], s[at + 2] = address, width, value
    s[BUFFERED + task] += 1


@kernel
def flush_oldest(s, task):
    """The oldest buffered store of a task reaches memory."""
    at = BUFFERS + task * BUFFER_CAPACITY * BUFFER_WORDS
    address, width, value = s[at], s[at + 1], s[at + 2]
    s[BUFFERED + task] -= 1
    for k in range(s[BUFFERED + task] * BUFFER_WORDS):
        s[at + k] = s[at + k + BUFFER_WORDS]
    write_memory(s, task, address, width, value)


@kernel
def is_ready(s, task, op):
    """Whether a request can be served now: what is locked or fences waits until the task's buffer is empty, a store until it has room.

    And AWAIT until it can succeed.
    """
    kind = op & KIND_MASK
    if kind == AWAIT:
        at = REQUESTS + REQUEST_WORDS * task
        return s[BUFFERED + task] == 0 and load_word(s[at + 1], op >> BYTES_SHIFT & BYTES_MASK) == s[at + 2]
    if s[BUFFERED + task] == 0:
        return True
    if kind == LOAD or kind == WAIT:
        return True
    return kind == STORE and s[BUFFERED + task] < BUFFER_CAPACITY


@kernel
def apply(s, task, op, address, first, second):
    """Make the access that a task asked for.

    Returns     the word seen; 0 for what sees nothing
    """
    kind, width = op & KIND_MASK, op >> BYTES_SHIFT & BYTES_MASK
    if kind == LOAD:
        s[SEEN + task] |= seen_bit(s, address)
        return visible_word(s, task, address, width)
    if kind == STORE:
        if s[MEMORY_MODEL] == TSO:
            buffer_store(s, task, address, width, narrowed(width, first))
        else:
            write_memory(s, task, address, width, narrowed(width, first))
        return 0
    if kind == FENCE:
        return 0
    if kind == WAIT:
        s[SEEN + task] = 0
        s[WOKEN + task] = 0
        return 0
    s[SEEN + task] |= seen_bit(s, address)
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
