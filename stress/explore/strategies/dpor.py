"""Source-DPOR with sleep sets: one interleaving of each class that differs in the order of conflicting accesses; complete when it ends.

P. Abdulla, S. Aronis, B. Jonsson, K. Sagonas, "Optimal dynamic partial order reduction", POPL 2014 (its source sets); C. Flanagan,
P. Godefroid, POPL 2005. Under TSO a buffered store conflicts with nothing, and its flush, by a process of its own, is the write
(C. Zhang, M. Kusano, C. Wang, PLDI 2015).

Happens-before of an event: its process's events before it; the conflicting accesses before it (one word, one may write); for a flush its
store; for what fences or is locked the flushes of its task; for the end of a wait the write that ended it. Clocks say, for each
process, the last of its events that comes before. A compare-and-exchange counts as a write even where it failed.

It does not know AWAIT: of two tasks that wait for one word only the order that it met is explored. No model of the project asks for it.
"""

from kernels.base.jit import kernel
from kernels.base.points import KIND_MASK, LOAD, REQUEST_WORDS, REQUESTS, STORE, WAIT
from stress.explore.chance import lowest_member
from stress.explore.pending import pending_address, pending_writes
from stress.explore.state import (
    FLUSH,
    LAST_TASK,
    MEMORY_MODEL,
    NR_SCHEDULABLE,
    NR_STEPS,
    NR_TASKS,
    OVERFLOW,
    SC,
    STRATEGY_WORDS,
    VERDICT,
    WOKEN,
)
from stress.explore.strategy import Strategy

PREFIX, NR_EVENTS = STRATEGY_WORDS, STRATEGY_WORDS + 1  # steps whose choice is settled; events whose clocks are known
DEPTH_MAX = 4096
FEW = 8  # tasks, for which clocks are short: loops of a constant length become a few vector instructions
NR_STORED = STRATEGY_WORDS + 16  # per task: stores that entered its buffer
NR_FLUSHED = NR_STORED + NR_SCHEDULABLE
FIRST = NR_FLUSHED + NR_SCHEDULABLE  # scratch: the first event of each process in the part that a race could reverse
CLOCKS = FIRST + NR_SCHEDULABLE  # per process: the clock of its last event
STORED_AT = CLOCKS + NR_SCHEDULABLE * NR_SCHEDULABLE  # per task: the events of its stores
# per event, close together since every later one looks through them: the word it touched (0: none, or a store that only entered a buffer);
# who made it, doubled, and 1 if it may have written
EVENTS = STORED_AT + (NR_SCHEDULABLE >> 1) * DEPTH_MAX
FRAMES = EVENTS + 2 * DEPTH_MAX
# words of a frame: the choice at a depth, and the event that it made
CHOSEN, TO_TRY, TRIED, ASLEEP, ENABLED, WRITERS, WOKEN_BY, KIND, CLOCK = range(9)
ADDRESSES = CLOCK + 2 * FEW  # with few tasks; after a long clock otherwise
FEW_WORDS, FRAME_WORDS = ADDRESSES + 2 * FEW, CLOCK + 2 * NR_SCHEDULABLE
RACES = FRAMES + DEPTH_MAX * FRAME_WORDS  # scratch: earlier events that race with the last one


@kernel
def begin(s):
    """No event yet; the frames of the settled prefix stay."""
    s[NR_EVENTS] = 0
    for k in range(NR_STORED, CLOCKS):
        s[k] = 0
    for k in range(CLOCKS, CLOCKS + 2 * s[NR_TASKS] * NR_SCHEDULABLE):
        s[k] = 0
    return 0


@kernel
def join(s, clock, other):
    """Everything before `other` is before `clock`, too."""
    if s[NR_TASKS] <= FEW:
        for place in range(2 * FEW):
            s[clock + place] = max(s[clock + place], s[other + place])
    else:
        for place in range(NR_SCHEDULABLE):
            s[clock + place] = max(s[clock + place], s[other + place])


@kernel
def frame_at(s, depth):
    """The frame of a depth. They lie close together where there are few tasks: the whole stack is gone through in every schedule."""
    return FRAMES + depth * (FEW_WORDS if s[NR_TASKS] <= FEW else FRAME_WORDS)


@kernel
def address_at(s, frame, process):
    """Where a frame says what a process is about to touch."""
    return frame + (ADDRESSES if s[NR_TASKS] <= FEW else CLOCK + NR_SCHEDULABLE) + place_of(s, process)


@kernel
def place_of(s, process):
    """Where a process stands in clocks: tasks first, then their flushes, without a gap."""
    return process if process < FLUSH else process - FLUSH + s[NR_TASKS]


@kernel
def copy_clock(s, clock, to):
    """What is before one event is before another."""
    if s[NR_TASKS] <= FEW:
        for place in range(2 * FEW):
            s[to + place] = s[clock + place]
    else:
        for place in range(NR_SCHEDULABLE):
            s[to + place] = s[clock + place]


@kernel
def causes(s, event, frame, clock, process):
    """Join what an event comes after for other reasons than a conflict."""
    if process >= FLUSH:
        task = process - FLUSH
        store = s[STORED_AT + task * DEPTH_MAX + s[NR_FLUSHED + task]]
        s[NR_FLUSHED + task] += 1
        join(s, clock, frame_at(s, store) + CLOCK)
        return
    kind = s[frame + KIND]
    if kind == WAIT:
        if s[frame + WOKEN_BY] > 0:
            join(s, clock, frame_at(s, s[frame + WOKEN_BY] - 1) + CLOCK)
    elif s[MEMORY_MODEL] != SC:
        if kind == STORE:
            s[STORED_AT + process * DEPTH_MAX + s[NR_STORED + process]] = event
            s[NR_STORED + process] += 1
        elif kind != LOAD:
            join(s, clock, CLOCKS + (s[NR_TASKS] + process) * NR_SCHEDULABLE)


@kernel
def is_buffered(s, kind):
    """Whether an access only enters the store buffer."""
    return kind == STORE and s[MEMORY_MODEL] != SC


@kernel
def initials(s, race, event, frame):
    """The processes that could come first if the event came before the event `race`."""
    found, present = 0, 0
    by = place_of(s, s[frame_at(s, race) + CHOSEN])
    for k in range(race + 1, event + 1):
        other = frame_at(s, k)
        process = s[other + CHOSEN]
        place = place_of(s, process)
        if k < event and s[other + CLOCK + by] > race:
            continue
        if present >> place & 1:
            continue
        first = True
        for q in range(2 * s[NR_TASKS]):
            if present >> q & 1 and s[other + CLOCK + q] > s[FIRST + q]:
                first = False
        present |= 1 << place
        s[FIRST + place] = k
        if first:
            found |= 1 << process
    return found


@kernel
def note_race(s, race, event, frame):
    """Somebody who could come first must be tried where the event `race` was chosen."""
    at = frame_at(s, race)
    first = initials(s, race, event, frame)
    if first & s[at + TO_TRY] != 0:
        return
    possible = first & s[at + ENABLED]
    if possible == 0:
        s[at + TO_TRY] |= s[at + ENABLED]
    else:
        mine = 1 << s[frame + CHOSEN]
        s[at + TO_TRY] |= mine if possible & mine != 0 else 1 << lowest_member(possible)


@kernel
def note_conflicts(s, event, frame, process):
    """Write down what an event touches; those before it that it conflicts with come before it.

    Returns     how many of them could have come after it, in RACES
    """
    buffered = process < FLUSH and is_buffered(s, s[frame + KIND])
    address, wrote = 0 if buffered else s[address_at(s, frame, process)], s[frame + WRITERS] >> process & 1
    s[EVENTS + 2 * event], s[EVENTS + 2 * event + 1] = address, 2 * process + wrote
    clock, races = frame + CLOCK, 0
    if address == 0:
        return 0
    for back in range(event):
        earlier = event - 1 - back
        if s[EVENTS + 2 * earlier] != address:
            continue
        made = s[EVENTS + 2 * earlier + 1]
        by = made >> 1
        if (made | wrote) & 1 and by != process and s[clock + place_of(s, by)] <= earlier:
            s[RACES + races] = earlier
            races += 1
            join(s, clock, frame_at(s, earlier) + CLOCK)
    return races


@kernel
def note_event(s):
    """The clock of the last event, and its races."""
    event = s[NR_EVENTS]
    frame = frame_at(s, event)
    process, clock = s[frame + CHOSEN], frame + CLOCK
    place = place_of(s, process)
    copy_clock(s, CLOCKS + place * NR_SCHEDULABLE, clock)
    causes(s, event, frame, clock, process)
    races = note_conflicts(s, event, frame, process)
    s[clock + place] = event + 1
    copy_clock(s, clock, CLOCKS + place * NR_SCHEDULABLE)
    s[NR_EVENTS] = event + 1
    for k in range(races):
        note_race(s, s[RACES + k], event, frame)


@kernel
def asleep_at(s, depth):
    """Those that need not be tried at a depth: tried or asleep one step above, and indifferent to what was done there."""
    if depth == 0:
        return 0
    above = frame_at(s, depth - 1)
    chosen = s[above + CHOSEN]
    candidates = (s[above + ASLEEP] | s[above + TRIED]) & ~(1 << chosen)
    found = 0
    address, writer = s[address_at(s, above, chosen)], s[above + WRITERS] >> chosen & 1
    while candidates != 0:
        q = lowest_member(candidates)
        candidates &= candidates - 1
        same = address != 0 and s[address_at(s, above, q)] == address
        if not same or (writer | s[above + WRITERS] >> q & 1) == 0:
            found |= 1 << q
    return found


@kernel
def describe_frame(s, frame, mask):
    """What everybody is about to do at this point."""
    s[frame + ENABLED] = mask
    s[frame + WRITERS] = 0
    for task in range(s[NR_TASKS]):
        for who in (task, FLUSH + task):
            s[address_at(s, frame, who)] = pending_address(s, who) if mask >> who & 1 else 0
            if mask >> who & 1 and pending_writes(s, who):
                s[frame + WRITERS] |= 1 << who


@kernel
def choose(s, mask):
    """The settled choice, else anybody who is not asleep, best who went on last; -1 if all are."""
    depth = s[NR_STEPS]
    if depth > 0:
        note_event(s)
    if depth == DEPTH_MAX:
        s[VERDICT] = OVERFLOW
        return -1
    frame = frame_at(s, depth)
    if depth >= s[PREFIX]:
        asleep = asleep_at(s, depth)
        awake = mask & ~asleep
        if awake == 0:
            return -1
        last = s[LAST_TASK]
        chosen = last if last >= 0 and awake >> last & 1 else lowest_member(awake)
        s[frame + CHOSEN], s[frame + ASLEEP], s[frame + TO_TRY], s[frame + TRIED] = chosen, asleep, 1 << chosen, 0
    chosen = s[frame + CHOSEN]
    describe_frame(s, frame, mask)
    s[frame + KIND] = s[REQUESTS + chosen * REQUEST_WORDS] & KIND_MASK if chosen < FLUSH else STORE
    s[frame + WOKEN_BY] = s[WOKEN + chosen] if chosen < FLUSH else 0
    return chosen


@kernel
def end(s):
    """Settle the deepest choice that has somebody left to try.

    Returns     whether there is none
    """
    depth = s[NR_STEPS] - 1
    if s[NR_EVENTS] <= depth:
        note_event(s)
    while depth >= 0:
        frame = frame_at(s, depth)
        s[frame + TRIED] |= 1 << s[frame + CHOSEN]
        left = s[frame + TO_TRY] & ~s[frame + TRIED] & ~s[frame + ASLEEP]
        if left != 0:
            s[frame + CHOSEN] = lowest_member(left)
            s[PREFIX] = depth + 1
            return False
        depth -= 1
    return True


STRATEGY = Strategy(
    "dpor", "source-DPOR with sleep sets (Abdulla et al., POPL 2014); complete when it ends", choose, begin, end, exhaustive=True
)
