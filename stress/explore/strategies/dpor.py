"""Source-DPOR with sleep sets: one interleaving of each class that differs in the order of conflicting accesses; complete when it ends.

P. Abdulla, S. Aronis, B. Jonsson, K. Sagonas, "Optimal dynamic partial order reduction", POPL 2014 (its source sets); C. Flanagan,
P. Godefroid, POPL 2005. Under TSO a buffered store conflicts with nothing, and its flush, by a separate process, is the write
(C. Zhang, M. Kusano, C. Wang, PLDI 2015); under PSO each lane of the buffer is such a process.

What happens before an event: its process's earlier events; the conflicting accesses before it (to one word, one may write); before a flush
its store, and before the flush of a release the flushes of all earlier stores; before a fence or a locked access the flushes of its
task; before the end of a wait the write that ended it. A clock has for each process its last event that happens before. A
compare-and-exchange counts as a write even if it failed.

AWAIT is not handled: if two tasks await one word, only the first order that occurs is explored. No model of the project uses it.
"""

from typing import Any

from kernels.base.atomics import RELEASE
from kernels.base.jit import kernel
from kernels.base.points import KIND_MASK, LOAD, ORDER_MASK, ORDER_SHIFT, REQUEST_WORDS, REQUESTS, STORE, WAIT
from stress.explore.chance import lowest_member
from stress.explore.memory_models import entry_at, lane_of
from stress.explore.pending import pending_address, pending_writes
from stress.explore.state import (
    B_NUMBER,
    B_ORDER,
    B_POINT,
    CUT,
    FLUSH,
    LAST_TASK,
    NEXT_LANE,
    NR_LANES,
    NR_POINTS,
    NR_SCHEDULABLE,
    NR_TASKS,
    STRATEGY_WORDS,
    WOKEN,
)
from stress.explore.strategy import Strategy

PREFIX, NR_EVENTS = STRATEGY_WORDS, STRATEGY_WORDS + 1  # steps whose choice is settled; events whose clocks are known
DEPTH_MAX = 4096
FIRST = STRATEGY_WORDS + 16  # scratch: the first event of each process in the part that a race could reverse
CLOCKS = FIRST + NR_SCHEDULABLE  # per process: the clock of its last event
FLUSHED_AT = CLOCKS + NR_SCHEDULABLE * NR_SCHEDULABLE  # per store of a task: 2 x the event of its flush, + 1 if it releases
# per event, close together since every later one looks through them: the word it touched (0: none, or a store that only entered a buffer);
# its process, doubled, + 1 if it may have written
EVENTS = FLUSHED_AT + FLUSH * DEPTH_MAX
RACES = EVENTS + 2 * DEPTH_MAX  # scratch: earlier events that race with the last one
FRAMES = RACES + DEPTH_MAX
# words of a frame: the choice at a depth, and the event that it made. MADE_BY is for a flush the event of its store; NUMBER and ORDER are
# that store's. AFTER says which flushes come before an access: those of a lane, ALL, or NONE. Clocks and addresses are by place_of()
(CHOSEN, TO_TRY, TRIED, ASLEEP, ENABLED, WRITERS, WOKEN_BY, KIND, MADE_BY, NUMBER, ORDER, AFTER, CLOCK) = range(13)
# CLOCK is the first of as many words as there are processes; after them comes the pending address of each process
NONE, ALL = -1, -2


@kernel
def begin(s):
    """No event yet; the frames of the settled prefix stay."""
    s[NR_EVENTS] = 0
    for place in range(nr_places(s)):
        for other in range(nr_places(s)):
            s[CLOCKS + place * NR_SCHEDULABLE + other] = 0
    return 0


@kernel
def nr_places(s):
    """How many processes there are: the tasks, and the lanes of their store buffers."""
    return s[NR_TASKS] * (1 + s[NR_LANES])


@kernel
def place_of(s, process):
    """The place of a process in clocks: tasks first, then their flushes, without a gap."""
    return process if process < FLUSH else process - FLUSH + s[NR_TASKS]


@kernel
def frame_at(s, depth):
    """The frame of a depth. Frames are packed, since every schedule walks the whole stack."""
    return FRAMES + depth * (CLOCK + 2 * nr_places(s))


@kernel
def address_at(s, frame, process):
    """The place of a process's pending address in a frame."""
    return frame + CLOCK + nr_places(s) + place_of(s, process)


@kernel
def join(s, clock, other):
    """Everything before `other` is before `clock`, too."""
    for place in range(nr_places(s)):
        if s[other + place] > s[clock + place]:
            s[clock + place] = s[other + place]


@kernel
def copy_clock(s, clock, other):
    """`clock` becomes what `other` is."""
    for place in range(nr_places(s)):
        s[clock + place] = s[other + place]


@kernel
def flush_causes(s, event, frame, clock, task):
    """A flush comes after its store; the flush of a release, after the flushes of all earlier stores."""
    if s[frame + MADE_BY] >= 0:
        join(s, clock, frame_at(s, s[frame + MADE_BY]) + CLOCK)
    releases = s[frame + ORDER] >= RELEASE
    if s[NR_LANES] > 1:
        flushed = FLUSHED_AT + task * DEPTH_MAX
        number = s[frame + NUMBER]
        s[flushed + number] = 2 * event + releases
        while releases and number > 0:
            number -= 1
            join(s, clock, frame_at(s, s[flushed + number] >> 1) + CLOCK)
            releases = s[flushed + number] & 1 == 0  # the flush of a release comes after all before it


@kernel
def causes(s, event, frame, clock, process):
    """Join the events that come before an event for other reasons than a conflict."""
    if process >= FLUSH:
        flush_causes(s, event, frame, clock, (process - FLUSH) % s[NR_TASKS])
    elif s[frame + KIND] == WAIT:
        if s[frame + WOKEN_BY] > 0:
            join(s, clock, frame_at(s, s[frame + WOKEN_BY] - 1) + CLOCK)
    elif s[frame + AFTER] == ALL:
        for lane in range(s[NR_LANES]):
            join(s, clock, CLOCKS + (s[NR_TASKS] * (1 + lane) + process) * NR_SCHEDULABLE)
    elif s[frame + AFTER] >= 0:
        join(s, clock, CLOCKS + (s[NR_TASKS] + s[frame + AFTER]) * NR_SCHEDULABLE)


@kernel
def flushed_before(s, task, op, address):
    """The flushes that have made a task's request possible: those of a lane, ALL, or NONE."""
    kind = op & KIND_MASK
    if s[NR_LANES] == 0 or kind == LOAD or kind == WAIT:
        return NONE
    if kind == STORE:
        if s[NR_LANES] > 1 and lane_of(s, task, address) < 0:
            return s[NEXT_LANE + task] * s[NR_TASKS] + task
        return NONE
    if s[NR_LANES] > 1 and address != 0 and (op >> ORDER_SHIFT & ORDER_MASK) < RELEASE:
        return lane_of(s, task, address)
    return ALL


@kernel
def note_conflicts(s, event, frame, process):
    """Record what an event touches; earlier events that conflict with it come before it.

    Returns     how many of those could have come after it; they are in RACES
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
def is_buffered(s, kind):
    """Whether an access only enters the store buffer."""
    return kind == STORE and s[NR_LANES] > 0


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
        for q in range(nr_places(s)):
            if present >> q & 1 and s[other + CLOCK + q] > s[FIRST + q]:
                first = False
        present |= 1 << place
        s[FIRST + place] = k
        if first:
            found |= 1 << process
    return found


@kernel
def note_race(s, race, event, frame):
    """A process that could come first must be tried at the depth where the event `race` was chosen."""
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
def note_event(s):
    """The clock of the last event, and its races."""
    event = s[NR_EVENTS]
    frame = frame_at(s, event)
    process, clock = s[frame + CHOSEN], frame + CLOCK
    place = place_of(s, process)
    copy_clock(s, clock, CLOCKS + place * NR_SCHEDULABLE)
    causes(s, event, frame, clock, process)
    races = note_conflicts(s, event, frame, process)
    s[clock + place] = event + 1
    copy_clock(s, CLOCKS + place * NR_SCHEDULABLE, clock)
    s[NR_EVENTS] = event + 1
    for k in range(races):
        note_race(s, s[RACES + k], event, frame)


@kernel
def asleep_at(s, depth):
    """The set that need not be tried at a depth: tried or asleep one step above, and independent of the step made there."""
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
    """Record the pending step of every process at this point."""
    s[frame + ENABLED] = mask
    s[frame + WRITERS] = 0
    while mask != 0:
        member = lowest_member(mask)
        mask &= mask - 1
        s[address_at(s, frame, member)] = pending_address(s, member)
        if pending_writes(s, member):
            s[frame + WRITERS] |= 1 << member


@kernel
def choose(s, mask):
    """The settled choice, else one that is not asleep, preferably the last one chosen; -1 if all are asleep."""
    depth = s[NR_POINTS]
    if depth > 0:
        note_event(s)
    if depth == DEPTH_MAX:
        s[CUT] = 1
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
    if chosen < FLUSH:
        at = REQUESTS + chosen * REQUEST_WORDS
        s[frame + KIND], s[frame + WOKEN_BY] = s[at] & KIND_MASK, s[WOKEN + chosen]
        s[frame + AFTER] = flushed_before(s, chosen, s[at], s[at + 1])
    else:
        at = entry_at(s, chosen - FLUSH, 0)
        s[frame + KIND], s[frame + WOKEN_BY] = STORE, 0
        s[frame + MADE_BY], s[frame + NUMBER], s[frame + ORDER] = s[at + B_POINT] - 1, s[at + B_NUMBER], s[at + B_ORDER]
    return chosen


@kernel
def end(s):
    """Settle the deepest choice that has another one left to try.

    Returns     whether there is none
    """
    depth = s[NR_POINTS] - 1
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


def progress(words: Any) -> str:
    """How much of the known part of the tree is explored: an upper bound, since the tree grows while it is explored."""
    explored, weight = 0.0, 1.0
    for depth in range(int(words[PREFIX])):
        frame = FRAMES + depth * (CLOCK + 2 * int(words[NR_TASKS]) * (1 + int(words[NR_LANES])))
        tried, wanted = int(words[frame + TRIED]), int(words[frame + TO_TRY]) & ~int(words[frame + ASLEEP])
        weight /= max(1, (tried | wanted).bit_count())
        explored += weight * tried.bit_count()
    return f"at most {100 * explored:.2g} % explored"


STRATEGY = Strategy(
    "dpor",
    "source-DPOR with sleep sets (Abdulla et al., POPL 2014); complete when it ends",
    choose,
    begin,
    end,
    exhaustive=True,
    progress=progress,
)
