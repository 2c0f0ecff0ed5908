"""The scheduler: one schedule after the other, each on a machine as it was, until something is found. Compiled, or interpreted.

A schedule is a sequence of choices. A task is run from one request to the next; between two choices exactly one task makes exactly
one access (or one buffered store reaches memory). When all have ended, the model's check runs alone. Then memory is put back
by undoing what was written: that costs what the schedule wrote, whatever the size of the machine.

Verdicts    an invariant broke (bug() was called), an access was out of bounds, plain accesses raced (races.py), a deadlock (nobody who
            has not ended can go on: each waits for a change of what it read, and nobody is left to make one), a livelock (livelock.py)
"""

from numba import types

from kernels.base.jit import kernel, state_entry, task_code
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
    resume,
    shared_state,
    start,
    store_word,
)
from stress.explore.chance import draw_early_weight, random_below, random_bits
from stress.explore.livelock import LOOPS_FROM, watched
from stress.explore.memory_models import (
    MASK48,
    apply,
    begin_loads,
    can_flush,
    drain,
    empty_buffer,
    entry_at,
    entry_number,
    flush_oldest,
    flushes,
    is_ready,
    load_early,
    may_be_early,
    mixed,
    newest_own,
    nr_older,
    order_loads,
    state_part,
    undo_writes,
    visible_word,
)
from stress.explore.pending import pending_address, pending_word, pending_writes
from stress.explore.privacy import is_own_word, is_private, note_touch
from stress.explore.races import begin_clocks, known_slot, note_access, note_flush
from stress.explore.state import (
    B_ADDRESS,
    B_VALUE,
    B_WIDTH,
    BROKEN,
    CHECK,
    CHOICES,
    CLEAN,
    CODE,
    COMPLETE,
    CUT,
    DEADLOCK,
    DONE,
    EARLY_WEIGHT,
    FIELD_BEGIN,
    FIELD_END,
    FINAL,
    FLUSH,
    GIVEN_EARLY,
    GREW,
    HASH,
    LAST_ADDRESS,
    LAST_TASK,
    LAST_WORD,
    LAST_WRITES,
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
    MOST_POINTS,
    MOST_STEPS,
    NOTE_FIRST,
    NOTING,
    NR_BUFFERED,
    NR_GIVEN_EARLY,
    NR_LANES,
    NR_MADE,
    NR_POINTS,
    NR_PRUNED,
    NR_RESTORED,
    NR_RUN,
    NR_STATES,
    NR_STEPS,
    NR_TASKS,
    NR_UNDO,
    OUT_OF_BOUNDS,
    PREPARE,
    PRIVACY,
    PRIVATE_IN_A_ROW,
    PRUNED,
    RACE,
    RACE_STEP,
    RACES,
    RANDOM,
    RESTARTED_WORDS,
    RESTARTS,
    RESTORED,
    RESTORED_WORDS,
    RESULTS,
    RUNNING,
    SCHEDULE,
    SEED,
    SEEN,
    SLOT,
    STACK_BYTES,
    STACKS,
    STATES,
    STATES_CAPACITY,
    STATUS,
    STEPS,
    STOP,
    STOP_BUDGET,
    STOP_COMPLETE,
    STOP_FAILURE,
    STOP_STATE,
    STRATEGY,
    STRATEGY_WORDS,
    TOTAL_POINTS,
    TOTAL_STEPS,
    UNDECIDED,
    VERDICT,
    VERSION_SHIFT,
    WAITING,
    WOKEN,
)
from stress.explore.strategies import NAMED, begin_schedule, choose, end_schedule

PRIVATE_STEPS_MAX = 256  # in a row
FLUSH_OP = KIND_MASK  # in the log: a buffered store reached memory
REPLAYS = NAMED["given"][0]


@kernel
def in_bounds(s, op, address):
    """Whether a request is about an element that its field has."""
    number = op >> FIELD_SHIFT
    return s[FIELD_BEGIN + number] <= address and address < s[FIELD_END + number]


@kernel
def go_on(s, task):
    """Run a task, whose last request has been answered, until its next one that is not answered at once."""
    s[CURRENT] = task
    s[PRIVATE_IN_A_ROW] = 0
    resume(task)


@kernel
def start_task(s, task):
    """Run a task from its beginning to its first request."""
    s[SEEN + task] = s[WOKEN + task] = 0
    empty_buffer(s, task)
    if s[LOADS_EARLY]:
        begin_loads(s, task)
    start(task, s[CODE], s[STACKS] + (task + 1) * s[STACK_BYTES])
    go_on(s, task)


@kernel
def run_alone(s, phase):
    """Run one phase of the model as task 0, with nobody beside it."""
    s[PHASE] = phase
    start_task(s, 0)
    at = REQUESTS
    while s[VERDICT] == UNDECIDED and s[STATUS] != DONE:
        s[RESULT] = apply(s, 0, s[at], s[at + 1], s[at + 2], s[at + 3])
        drain(s, 0)
        if phase == PREPARE:
            s[NR_UNDO] = s[HASH] = 0  # what is written now stays
        go_on(s, 0)


@kernel
def enabled(s):
    """The set of those that can be chosen now, tasks and flushes, by number (state.FLUSH)."""
    found = 0
    for task in range(s[NR_TASKS]):
        status = s[STATUS + task]
        if status == RUNNING:
            at = REQUESTS + REQUEST_WORDS * task
            if is_ready(s, task, s[at], s[at + 1], s[at + 2]):
                found |= 1 << task
        elif status == WAITING and s[WOKEN + task] != 0:
            found |= 1 << task
        found |= flushes(s, task)
    return found


@kernel
def log_step(s, chosen, mask):
    """Write down a step before it is made; its result follows."""
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
    """Make the access that a task asked for.

    Parameters  mask: from whom it was chosen; 0 if nobody chose
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
    if s[RACES] and (mask != 0 or op >> ORDER_SHIFT & ORDER_MASK != PLAIN):  # a private plain access races with nobody
        forwarded = op & KIND_MASK == LOAD and newest_own(s, task, address) >= 0
        note_access(s, task, op, first, s[RESULT], forwarded, version > 0)
    s[NR_STEPS] += 1


@kernel
def make_flush(s, chosen, mask):
    """The oldest store of a lane, by the number of its flush, reaches memory."""
    s[CHOICES + s[NR_STEPS]] = chosen
    if s[LOGGING]:
        log_step(s, chosen, mask)
    if s[RACES]:
        note_flush(s, pending_address(s, chosen), entry_number(s, chosen - FLUSH, 0))
    flush_oldest(s, chosen - FLUSH)
    s[NR_STEPS] += 1


@kernel
def flush_private_stores(s, task):
    """Let a task's stores that nobody else could tell apart reach memory, as soon as those before them have."""
    for lane in range(s[NR_LANES]):
        buffer = lane * s[NR_TASKS] + task
        while can_flush(s, buffer) and is_own_word(s, task, pending_address(s, FLUSH + buffer)) and s[NR_STEPS] < LOOPS_FROM:
            make_flush(s, FLUSH + buffer, 0)


@kernel
def may_be_served(s, task):
    """Whether a request is made at once; not for ever, since a task may wait for one who is yet to come."""
    if not s[PRIVACY] or s[VERDICT] != UNDECIDED or s[NR_STEPS] >= LOOPS_FROM or s[PRIVATE_IN_A_ROW] == PRIVATE_STEPS_MAX:
        return False
    at = REQUESTS + REQUEST_WORDS * task
    return is_private(s, task) and is_ready(s, task, s[at], s[at + 1], s[at + 2])


@kernel
def serve(s):
    """The request of the current task, on its own stack: what nobody else could tell from others is answered at once.

    Returns     1 if it was answered; 0 if the task must leave to the scheduler, for now or for good
    """
    task = s[CURRENT]
    at = REQUESTS + REQUEST_WORDS * task
    kind = s[at] & KIND_MASK
    s[STATUS + task] = WAITING if kind == WAIT else DONE if kind == END else RUNNING
    if kind == WAIT:
        return 0
    if kind == END:
        if s[PHASE] == STEPS:  # what the check returns, as task 0, is no part of the final state
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


def serve_code():
    """The address of the machine code of serve(), for tasks to call."""

    def served():
        return serve(shared_state())

    return task_code(served, "serve", __name__, types.int64)


@kernel
def given_version(s, task):
    """Which older value a given schedule says that the pending load of a task returns."""
    for k in range(s[NR_GIVEN_EARLY]):
        at = GIVEN_EARLY + 3 * k
        if s[at] == task and s[at + 1] == s[NR_MADE + task]:
            return s[at + 2]
    return 0


@kernel
def version_of(s, chosen):
    """Which older value the access that was chosen returns, drawn or given; 0: the newest. In a long schedule always that (livelock.py)."""
    at = REQUESTS + REQUEST_WORDS * chosen
    if chosen >= FLUSH or s[NR_STEPS] >= LOOPS_FROM or not may_be_early(s, chosen, s[at], s[at + 1]):
        return 0
    if s[STRATEGY] == REPLAYS:
        given = given_version(s, chosen)
        return given if given == 0 or given <= nr_older(s, chosen, s[at + 1]) else 0
    if random_bits(s) >= s[EARLY_WEIGHT]:
        return 0
    older = nr_older(s, chosen, s[at + 1])
    return 1 + random_below(s, older) if older > 0 else 0


@kernel
def step(s, chosen, mask):
    """Make the one access that was chosen, and let its task go on to its next request."""
    s[NR_POINTS] += 1
    s[LAST_TASK], s[LAST_ADDRESS], s[LAST_WRITES] = chosen, pending_address(s, chosen), pending_writes(s, chosen)
    s[LAST_WORD] = pending_word(s, chosen)
    if chosen >= FLUSH:
        make_flush(s, chosen, mask)
        if s[PRIVACY]:
            flush_private_stores(s, (chosen - FLUSH) % s[NR_TASKS])
        return
    make_access(s, chosen, mask, version_of(s, chosen) if s[LOADS_EARLY] else 0)
    raced = s[RACES] and s[RACE_STEP] != 0
    if raced:
        s[VERDICT] = RACE  # so that no step follows
    go_on(s, chosen)
    if raced:
        s[VERDICT] = RACE


@kernel
def all_done(s):
    """Whether every task has ended."""
    for task in range(s[NR_TASKS]):
        if s[STATUS + task] != DONE:
            return False
    return True


@kernel
def start_tasks(s):
    """Run every task to its first request that matters."""
    s[PHASE] = STEPS
    for task in range(s[NR_TASKS]):
        s[RESULTS + task] = 0
        if s[VERDICT] == UNDECIDED:
            start_task(s, task)


@kernel
def run_schedule(s):
    """One schedule from the first request of every task to the model's check."""
    start_tasks(s)
    while s[VERDICT] == UNDECIDED:
        mask = enabled(s)
        if mask == 0:
            break
        if s[NR_STEPS] >= LOOPS_FROM:
            mask = watched(s, mask)
            if mask == 0:
                return
        chosen = choose(s, mask, s[STRATEGY])
        if chosen < 0:
            s[VERDICT] = PRUNED
            return
        step(s, chosen, mask)
    if s[VERDICT] == UNDECIDED:
        if not all_done(s):
            s[VERDICT] = DEADLOCK
            return
        run_alone(s, CHECK)
        if s[VERDICT] == UNDECIDED:
            s[VERDICT] = CLEAN


@kernel
def restore(s):
    """Memory as it was before the last schedule: undo its writes, copy back what tasks write past the scheduler."""
    undo_writes(s)
    for k in range(s[NR_RESTORED]):
        at = RESTORED + k * RESTORED_WORDS
        for word in range(s[at + 1]):
            store_word(s[at] + 8 * word, 8, load_word(s[at + 2] + 8 * word, 8))


@kernel
def begin(s, number):
    """Everything but the strategy's memory as a schedule finds it; its random numbers follow from the seed and its number alone."""
    restore(s)
    if s[RACES]:
        begin_clocks(s)
    s[SCHEDULE] = number
    s[RANDOM] = mixed(mixed(s[SEED]) + number * 2654435769 & MASK48)
    if s[LOADS_EARLY]:
        draw_early_weight(s)
    s[NR_STEPS] = s[NR_POINTS] = s[HASH] = s[VERDICT] = 0
    s[LAST_TASK] = -1


@kernel
def final_state(s):
    """The hash of memory and results at the end of a schedule."""
    found = s[HASH]
    for task in range(s[NR_TASKS]):
        found ^= state_part(task + 1, s[RESULTS + task])
    return found | 1 << 48  # never 0, which is an empty place in STATES


@kernel
def is_new_state(s):
    """Whether a schedule ended as none before; while there is room to remember."""
    if s[NR_STATES] * 2 >= STATES_CAPACITY:
        return False
    wanted = s[FINAL] = final_state(s)
    at = wanted % STATES_CAPACITY
    while s[STATES + at] != 0:
        if s[STATES + at] == wanted:
            return False
        at = (at + 1) % STATES_CAPACITY
    s[STATES + at] = wanted
    s[NR_STATES] += 1
    return True


@kernel
def is_noted(s):
    """Whether somebody wants to look at a new final state: one of the first, or one in NOTING by its hash."""
    if s[NOTING] > 0 and s[NOTE_FIRST] > 0:
        s[NOTE_FIRST] -= 1
        return True
    return s[NOTING] > 0 and s[FINAL] % s[NOTING] == 0


@kernel
def run_one(s, number):
    """Run schedule `number` and count it."""
    begin(s, number)
    begin_schedule(s, s[STRATEGY])
    run_schedule(s)
    s[NR_RUN] += 1
    s[TOTAL_STEPS] += s[NR_STEPS]
    s[MOST_STEPS] = max(s[MOST_STEPS], s[NR_STEPS])
    s[TOTAL_POINTS] += s[NR_POINTS]
    s[MOST_POINTS] = max(s[MOST_POINTS], s[NR_POINTS])


@state_entry
def explore_batch(s, first, nr_schedules):
    """Run schedules from number `first` on until one fails, one ends in a new state (if asked for), or all are done.

    The machine is left as the last one ended, for a look at it.
    Returns     the number of the next schedule; why it returned stands in STOP
    """
    s[STOP] = STOP_BUDGET
    for number in range(first, first + nr_schedules):
        run_one(s, number)
        if s[VERDICT] > PRUNED:
            s[STOP] = STOP_FAILURE
            return number + 1
        if s[VERDICT] == PRUNED:
            s[NR_PRUNED] += 1
        new = s[VERDICT] == CLEAN and s[NOTING] >= 0 and is_new_state(s)
        if s[GREW] and s[RESTARTS]:  # what it remembers is of other points
            s[GREW] = 0
            for k in range(RESTARTED_WORDS):
                s[STRATEGY_WORDS + k] = 0
        elif end_schedule(s, s[STRATEGY]):
            s[COMPLETE] = s[CUT] == 0
            s[STOP] = STOP_COMPLETE
            return number + 1
        if new and is_noted(s):
            s[STOP] = STOP_STATE
            return number + 1
    return first + nr_schedules


@state_entry
def prepare_machine(s, phase):
    """Bring the machine to where every schedule begins.

    Returns     the verdict: UNDECIDED if nothing broke
    """
    s[VERDICT] = UNDECIDED
    run_alone(s, phase)
    return s[VERDICT]


@state_entry
def put_back(s, number):
    """Memory as every schedule finds it.

    Returns     0
    """
    begin(s, number)
    return 0
