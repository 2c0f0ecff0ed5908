"""Source-DPOR with sleep sets: one interleaving of each class that differs in the order of conflicting accesses; complete when it ends.

P. Abdulla, S. Aronis, B. Jonsson, K. Sagonas, "Optimal dynamic partial order reduction", POPL 2014 (its source sets); C. Flanagan,
P. Godefroid, POPL 2005. Under TSO a buffered store conflicts with nothing, and its flush, by a process of its own, is the write
(C. Zhang, M. Kusano, C. Wang, PLDI 2015).

Happens-before of an event: its process's events before it; the conflicting accesses before it (one word, one may write); for a flush its
store; for what fences or is locked the flushes of its task; for the end of a wait the write that ended it. Clocks say, for each
process, the last of its events that comes before. A compare-and-exchange counts as a write even where it failed.
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
NR_STORED = STRATEGY_WORDS + 16  # per task: stores that entered its buffer
NR_FLUSHED = NR_STORED + NR_SCHEDULABLE
FIRST = NR_FLUSHED + NR_SCHEDULABLE  # scratch: the first event of each process in the part that a race could reverse
CLOCKS = FIRST + NR_SCHEDULABLE  # per process: the clock of its last event
STORED_AT = CLOCKS + NR_SCHEDULABLE * NR_SCHEDULABLE  # per task: the events of its stores
FRAMES = STORED_AT + (NR_SCHEDULABLE >> 1) * DEPTH_MAX
# words of a frame: the choice at a depth, and the event that it made
CHOSEN, TO_TRY, TRIED, ASLEEP, ENABLED, WRITERS, WOKEN_BY, KIND, CLOCK, ADDRESSES = 0, 1, 2, 3, 4, 5, 6, 7, 8, 8 + NR_SCHEDULABLE
FRAME_WORDS = ADDRESSES + NR_SCHEDULABLE
RACES = FRAMES + DEPTH_MAX * FRAME_WORDS  # scratch: earlier events that race with the last one


@kernel
def begin(s):
    """No event yet; the frames of the settled prefix stay."""
    s[NR_EVENTS] = 0
    for k in range(NR_STORED, STORED_AT):
        s[k] = 0
    return 0


@kernel
def join(s, clock, other):
    """Everything before `other` is before `clock`, too."""
    for process in range(NR_SCHEDULABLE):
        if s[other + process] > s[clock + process]:
            s[clock + process] = s[other + process]


@kernel
def causes(s, event, frame, clock, process):
    """Join what an event comes after for other reasons than a conflict."""
    if process >= FLUSH:
        task = process - FLUSH
        store = s[STORED_AT + task * DEPTH_MAX + s[NR_FLUSHED + task]]
        s[NR_FLUSHED + task] += 1
        join(s, clock, FRAMES + store * FRAME_WORDS + CLOCK)
        return
    kind = s[frame + KIND]
    if kind == WAIT:
        if s[frame + WOKEN_BY] > 0:
            join(s, clock, FRAMES + (s[frame + WOKEN_BY] - 1) * FRAME_WORDS + CLOCK)
    elif s[MEMORY_MODEL] != SC:
        if kind == STORE:
            s[STORED_AT + process * DEPTH_MAX + s[NR_STORED + process]] = event
            s[NR_STORED + process] += 1
        elif kind != LOAD:
            join(s, clock, CLOCKS + (FLUSH + process) * NR_SCHEDULABLE)


@kernel
def conflict(s, earlier, frame, process):
    """Whether an earlier event and the one of `frame` touch one word, and one may write."""
    other = FRAMES + earlier * FRAME_WORDS
    by = s[other + CHOSEN]
    address = s[frame + ADDRESSES + process]
    if by == process or address == 0 or s[other + ADDRESSES + by] != address:
        return False
    if (by < FLUSH and is_buffered(s, s[other + KIND])) or (process < FLUSH and is_buffered(s, s[frame + KIND])):
        return False
    return (s[other + WRITERS] >> by | s[frame + WRITERS] >> process) & 1 != 0


@kernel
def is_buffered(s, kind):
    """Whether an access only enters the store buffer."""
    return kind == STORE and s[MEMORY_MODEL] != SC


@kernel
def initials(s, race, event, frame):
    """The processes that could come first if the event came before the event `race`."""
    found, present = 0, 0
    by = s[FRAMES + race * FRAME_WORDS + CHOSEN]
    for k in range(race + 1, event + 1):
        other = FRAMES + k * FRAME_WORDS
        process = s[other + CHOSEN]
        if k < event and s[other + CLOCK + by] > race:
            continue
        if present >> process & 1:
            continue
        first = True
        for q in range(NR_SCHEDULABLE):
            if present >> q & 1 and s[other + CLOCK + q] > s[FIRST + q]:
                first = False
        present |= 1 << process
        s[FIRST + process] = k
        if first:
            found |= 1 << process
    return found


@kernel
def note_race(s, race, event, frame):
    """Somebody who could come first must be tried where the event `race` was chosen."""
    at = FRAMES + race * FRAME_WORDS
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
def note_event(s):
    """The clock of the last event, and its races."""
    event = s[NR_EVENTS]
    frame = FRAMES + event * FRAME_WORDS
    process, clock = s[frame + CHOSEN], frame + CLOCK
    for q in range(NR_SCHEDULABLE):
        s[clock + q] = s[CLOCKS + process * NR_SCHEDULABLE + q]
    causes(s, event, frame, clock, process)
    races = 0
    for back in range(event):
        earlier = event - 1 - back
        by = s[FRAMES + earlier * FRAME_WORDS + CHOSEN]
        if conflict(s, earlier, frame, process) and s[clock + by] <= earlier:
            s[RACES + races] = earlier
            races += 1
            join(s, clock, FRAMES + earlier * FRAME_WORDS + CLOCK)
    s[clock + process] = event + 1
    for q in range(NR_SCHEDULABLE):
        s[CLOCKS + process * NR_SCHEDULABLE + q] = s[clock + q]
    s[NR_EVENTS] = event + 1
    for k in range(races):
        note_race(s, s[RACES + k], event, frame)


@kernel
def asleep_at(s, depth):
    """Those that need not be tried at a depth: tried or asleep one step above, and indifferent to what was done there."""
    if depth == 0:
        return 0
    above = FRAMES + (depth - 1) * FRAME_WORDS
    chosen = s[above + CHOSEN]
    candidates = (s[above + ASLEEP] | s[above + TRIED]) & ~(1 << chosen)
    found = 0
    address, writer = s[above + ADDRESSES + chosen], s[above + WRITERS] >> chosen & 1
    for q in range(NR_SCHEDULABLE):
        if candidates >> q & 1:
            same = address != 0 and s[above + ADDRESSES + q] == address
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
            s[frame + ADDRESSES + who] = pending_address(s, who) if mask >> who & 1 else 0
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
    frame = FRAMES + depth * FRAME_WORDS
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
        frame = FRAMES + depth * FRAME_WORDS
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
