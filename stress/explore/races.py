"""Happens-before races on plain accesses, after FastTrack (C. Flanagan, S. Freund, PLDI 2009). Compiled, or interpreted.

Two accesses to one word by two tasks race if one of them writes, one of them is plain, and nothing orders them. The order is C11's: an
acquire that reads what a release wrote, or what a read-modify-write made of it; a full fence after the load replaces the acquire, one
before the store the release. Locks are such words. The order in which a schedule makes the two accesses counts for nothing, so a race is
found under sequential consistency, in schedules where it does no harm. Two atomic accesses do not race.

Times are step numbers, counted across all schedules, so that nothing is cleared between them: the clocks of a schedule begin after all
times of earlier ones. Tasks are few, so reads are a vector as well, not an epoch. A buffered store carries its clock to memory. Peeks, the
model's preparation and its check take no part.
"""

from kernels.base.atomics import RELEASE, SEQ_CST
from kernels.base.jit import kernel
from kernels.base.points import (
    AWAIT,
    BYTES_MASK,
    BYTES_SHIFT,
    CAS,
    FENCE,
    KIND_MASK,
    LOAD,
    MAX_TASKS,
    ORDER_MASK,
    ORDER_SHIFT,
    PLAIN,
    STORE,
    WAIT,
)
from stress.explore.memory_models import acquires, narrowed
from stress.explore.state import (
    ACQUIRABLE,
    CLOCK,
    FENCED,
    KNOWN,
    KNOWN_CAPACITY,
    NR_STEPS,
    NR_TASKS,
    NR_WORDS_KNOWN,
    OVERFLOW,
    RACE_STEP,
    RACE_TASK,
    SLOT,
    STORE_CLOCKS,
    TIME,
    TOUCHED_BY,
    VERDICT,
    W_LOADS,
    W_PLAIN_LOADS,
    W_PLAIN_STORES,
    W_RELEASED,
    W_STORES,
    WORD_ROWS,
    WORDS,
)


@kernel
def begin_clocks(s):
    """All tasks begin after every access of earlier schedules."""
    s[TIME] += s[NR_STEPS] + 1  # NR_STEPS is still the last schedule's
    s[RACE_STEP] = 0
    for task in range(s[NR_TASKS]):
        for other in range(s[NR_TASKS]):
            at = task * MAX_TASKS + other
            s[CLOCK + at] = s[FENCED + at] = s[ACQUIRABLE + at] = s[TIME]


@kernel
def known_slot(s, address):
    """The place of a word in the tables of words; a new word is added."""
    at = (address >> 2) * 0x9E3779B1 >> 12 & KNOWN_CAPACITY - 1
    while s[KNOWN + at] != address:
        if s[KNOWN + at] == 0:
            s[KNOWN + at] = address
            s[TOUCHED_BY + at] = 0
            s[NR_WORDS_KNOWN] += 1
            if s[NR_WORDS_KNOWN] * 8 > KNOWN_CAPACITY * 7:
                s[VERDICT] = OVERFLOW
            for k in range(WORD_ROWS * s[NR_TASKS]):
                s[WORDS + at * WORD_ROWS * s[NR_TASKS] + k] = 0
            break
        at = at + 1 & KNOWN_CAPACITY - 1
    return at


@kernel
def rows_of(s, slot):
    """The place of a word's rows."""
    return WORDS + slot * WORD_ROWS * s[NR_TASKS]


@kernel
def join_clock(s, clock, other):
    """Everything that is before `other` is before `clock`, too."""
    for task in range(s[NR_TASKS]):
        if s[other + task] > s[clock + task]:
            s[clock + task] = s[other + task]


@kernel
def copy_clock(s, clock, other):
    """`clock` becomes what `other` is."""
    for task in range(s[NR_TASKS]):
        s[clock + task] = s[other + task]


@kernel
def check_row(s, task, row):
    """Look for another task's access that is not before this one; the latest one found is reported."""
    clock = CLOCK + task * MAX_TASKS
    for other in range(s[NR_TASKS]):
        if other != task and s[row + other] > s[clock + other] and s[row + other] - s[TIME] > s[RACE_STEP]:
            s[RACE_TASK], s[RACE_STEP] = other, s[row + other] - s[TIME]


@kernel
def check_access(s, task, word, plain, reads, writes):
    """Look for races of an access, and record its time."""
    nr_tasks = s[NR_TASKS]
    now = s[CLOCK + task * MAX_TASKS + task]
    check_row(s, task, word + W_PLAIN_STORES * nr_tasks)
    if plain:
        check_row(s, task, word + W_STORES * nr_tasks)
    if writes:
        check_row(s, task, word + W_PLAIN_LOADS * nr_tasks)
        if plain:
            check_row(s, task, word + W_LOADS * nr_tasks)
        s[word + (W_PLAIN_STORES if plain else W_STORES) * nr_tasks + task] = now
    elif reads:
        s[word + (W_PLAIN_LOADS if plain else W_LOADS) * nr_tasks + task] = now


@kernel
def note_read(s, task, word, order):
    """A load joins the clock that the word carries: immediately if it acquires, else at the task's next fence."""
    seen = word + W_RELEASED * s[NR_TASKS]
    if acquires(order):
        join_clock(s, CLOCK + task * MAX_TASKS, seen)
    elif order != PLAIN:
        join_clock(s, ACQUIRABLE + task * MAX_TASKS, seen)


@kernel
def note_early_load(s, task, order):
    """The clock of an older value is not kept. The load joins everything that has happened, which hides races and invents none."""
    clock = (CLOCK if acquires(order) else ACQUIRABLE) + task * MAX_TASKS
    for other in range(s[NR_TASKS]):
        s[clock + other] = s[CLOCK + other * MAX_TASKS + other]


@kernel
def carried(task, order):
    """The clock that a task's atomic store carries: its own if it releases, else that of its last fence."""
    return (CLOCK if order >= RELEASE else FENCED) + task * MAX_TASKS


@kernel
def note_access(s, task, op, first, result, forwarded, early):
    """Note one access of a task, after it was made.

    Parameters  result: as apply() returned it
                forwarded: whether a load returned its task's buffered store
                early: whether a load returned an older value
    """
    kind, order = op & KIND_MASK, op >> ORDER_SHIFT & ORDER_MASK
    clock = CLOCK + task * MAX_TASKS
    s[clock + task] = s[TIME] + s[NR_STEPS] + 1
    if kind == FENCE:
        if order == SEQ_CST:
            join_clock(s, clock, ACQUIRABLE + task * MAX_TASKS)
            copy_clock(s, FENCED + task * MAX_TASKS, clock)
        return
    if kind == WAIT:
        return
    word = rows_of(s, s[SLOT + task])
    succeeds = (kind != CAS and kind != AWAIT) or result == narrowed(op >> BYTES_SHIFT & BYTES_MASK, first)
    reads, writes = kind != STORE, kind != LOAD and succeeds
    check_access(s, task, word, order == PLAIN, reads, writes)
    if early:
        note_early_load(s, task, order)
    elif reads and not forwarded:
        note_read(s, task, word, order)
    if writes:
        if kind == STORE:
            kept = STORE_CLOCKS + result * MAX_TASKS if result >= 0 else word + W_RELEASED * s[NR_TASKS]
            if order == PLAIN:
                for other in range(s[NR_TASKS]):
                    s[kept + other] = 0
            else:
                copy_clock(s, kept, carried(task, order))
        else:  # a read-modify-write keeps what the word carried: the release sequence
            join_clock(s, word + W_RELEASED * s[NR_TASKS], carried(task, order))


@kernel
def note_flush(s, address, entry):
    """A buffered store reaches memory: the word carries the store's clock."""
    copy_clock(s, rows_of(s, known_slot(s, address)) + W_RELEASED * s[NR_TASKS], STORE_CLOCKS + entry * MAX_TASKS)
