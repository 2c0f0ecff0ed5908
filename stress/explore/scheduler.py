"""The scheduler: runs one schedule after the other, each from the same state of the machine, until one fails. Compiled, or interpreted.

A schedule is a sequence of choices. A task runs from one request to the next; between two choices exactly one task makes exactly one
access, or one buffered store reaches memory. When all tasks have ended, the model's check runs alone. Then memory is restored by undoing
the writes, so the cost depends on what the schedule wrote, not on the size of the machine.

Verdicts    an invariant broke (bug() was called); an access was out of bounds; plain accesses raced (races.py); a deadlock (every task
            that has not ended waits for a change of something it read, and no task is left to make one); a livelock (livelock.py)
"""

from kernels.base.jit import kernel, state_entry
from kernels.base.points import CURRENT, PHASE, REQUEST_WORDS, REQUESTS, RESULT, load_word, resume, start, store_word
from stress.explore.chance import draw_early_weight, random_below, random_bits
from stress.explore.livelock import LOOPS_FROM, watched
from stress.explore.memory_models import (
    MASK48,
    apply,
    begin_loads,
    drain,
    empty_buffer,
    flushes,
    is_ready,
    may_be_early,
    mixed,
    nr_older,
    state_part,
    undo_writes,
)
from stress.explore.pending import pending_address, pending_word, pending_writes
from stress.explore.races import begin_clocks
from stress.explore.serving import flush_private_stores, make_access, make_flush
from stress.explore.state import (
    CHECK,
    CLEAN,
    CODE,
    COMPLETE,
    CUT,
    DEADLOCK,
    DONE,
    EARLY_WEIGHT,
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
    MOST_POINTS,
    MOST_STEPS,
    NOTE_FIRST,
    NOTING,
    NR_GIVEN_EARLY,
    NR_MADE,
    NR_POINTS,
    NR_PRUNED,
    NR_RESTORED,
    NR_RUN,
    NR_STATES,
    NR_STEPS,
    NR_TASKS,
    NR_UNDO,
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
    WAITING,
    WOKEN,
)
from stress.explore.strategies import NAMED, begin_schedule, choose, end_schedule

REPLAYS = NAMED["given"][0]


@kernel
def go_on(s, task):
    """Run a task, whose last request has been answered, until its next one that serve() does not answer."""
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
    """Run one phase of the model as task 0, with no other task."""
    s[PHASE] = phase
    start_task(s, 0)
    at = REQUESTS
    while s[VERDICT] == UNDECIDED and s[STATUS] != DONE:
        s[RESULT] = apply(s, 0, s[at], s[at + 1], s[at + 2], s[at + 3])
        drain(s, 0)
        if phase == PREPARE:
            s[NR_UNDO] = s[HASH] = 0  # these writes are never undone
        go_on(s, 0)


@kernel
def enabled(s):
    """The set of the tasks and flushes that can be chosen now, by number (state.FLUSH)."""
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
def given_version(s, task):
    """Which older value a task's pending load returns in a given schedule."""
    for k in range(s[NR_GIVEN_EARLY]):
        at = GIVEN_EARLY + 3 * k
        if s[at] == task and s[at + 1] == s[NR_MADE + task]:
            return s[at + 2]
    return 0


@kernel
def version_of(s, chosen):
    """Which older value the chosen access returns, drawn or given; 0: the newest, as always in a long schedule (livelock.py)."""
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
    """Make the chosen access, and run its task to its next request."""
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
        s[VERDICT] = RACE  # so that serve() answers no request
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
    """Run every task to its first request that serve() does not answer."""
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
    """Restore memory: undo the writes of the last schedule, and copy back what tasks write without asking the scheduler."""
    undo_writes(s)
    for k in range(s[NR_RESTORED]):
        at = RESTORED + k * RESTORED_WORDS
        for word in range(s[at + 1]):
            store_word(s[at] + 8 * word, 8, load_word(s[at + 2] + 8 * word, 8))


@kernel
def begin(s, number):
    """Everything but the strategy's memory becomes as it is at the beginning of a schedule.

    The random numbers of a schedule follow from the seed and its number alone.
    """
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
    return found | 1 << 48  # never 0, which is an empty slot of STATES


@kernel
def is_new_state(s):
    """Whether a schedule ended in a state in which none ended before; False if STATES is full."""
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
    """Whether explore_batch() returns at a new final state: one of the first, or one in NOTING by its hash."""
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
    """Run schedules from number `first` on until one fails, one ends in a new state that is noted, or all are done.

    The machine is left as the last schedule ended, so that the caller can inspect it.
    Returns     the number of the next schedule; STOP says why it returned
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
        if s[GREW] and s[RESTARTS]:  # the strategy remembers points of which there are more now
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
    """Run the model's preparation: every schedule begins in the state that it leaves.

    Returns     the verdict: UNDECIDED if nothing broke
    """
    s[VERDICT] = UNDECIDED
    run_alone(s, phase)
    return s[VERDICT]


@state_entry
def put_back(s, number):
    """Restore the state in which every schedule begins.

    Returns     0
    """
    begin(s, number)
    return 0
