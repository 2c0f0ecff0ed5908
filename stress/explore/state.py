"""The scheduler's words: where each stands in points.STATE, after those that tasks share. No behaviour.

One flat array of int64, since it is what compiled tasks, the compiled scheduler and Python all reach; interpreted it is a list.
"""

from kernels.base.points import MAX_TASKS, SCHEDULER_WORDS, STATE_WORDS

# ---------------------------------------------------------------------------------------------------------------- scalars
(NR_TASKS, MEMORY_MODEL, STRATEGY, PARAMETER, SEED, SCHEDULE, RANDOM, NR_STEPS, STEP_LIMIT, VERDICT, HASH, NR_UNDO, LOGGING,
 LAST_TASK, LAST_OP, LAST_ADDRESS, NR_RUN, TOTAL_STEPS, MOST_STEPS, CODE, STACKS, STACK_BYTES, STOP, NR_STATES, NOTING, COMPLETE,
 NR_RESTORED, NR_CHOICES, FLUSH_WEIGHT, NR_PRUNED, DIVERGED_AT, NR_GIVEN, LAST_WRITES, POINTS_EXPECTED) = range(
    SCHEDULER_WORDS, SCHEDULER_WORDS + 34
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------------------- tables
# per task
STATUS = 256
SEEN, WOKEN, RESULTS, BUFFERED = (STATUS + k * MAX_TASKS for k in range(1, 5))
# store buffers: address, width, value
BUFFERS, BUFFER_CAPACITY, BUFFER_WORDS = 512, 16, 3
# first address and the address after the last, of each field by number
FIELD_BEGIN, FIELD_END, FIELDS_MAX = 2048, 2560, 512
# what tasks write past the scheduler is copied back: (address, words, address of the copy)
RESTORED, RESTORED_WORDS = 3072, 3
PRIORITIES = 3328  # per schedulable, tasks first and then their flushes
CHANGE_POINTS = PRIORITIES + 2 * MAX_TASKS
MAX_STEPS = 8192
CHOICES = 4096
GIVEN = CHOICES + MAX_STEPS
UNDO, UNDO_WORDS, UNDO_CAPACITY = GIVEN + MAX_STEPS, 3, 2 * MAX_STEPS
LOG, LOG_WORDS = UNDO + UNDO_WORDS * UNDO_CAPACITY, 8
STATES, STATES_CAPACITY = LOG + LOG_WORDS * MAX_STEPS, 1 << 15
STRATEGY_WORDS = STATES + STATES_CAPACITY  # the strategy's own, from here to the end
if STRATEGY_WORDS + (1 << 17) > STATE_WORDS:
    raise AssertionError("points.STATE_WORDS is too small")

#: who can be chosen: task t, and the flush of t's oldest buffered store
FLUSH = MAX_TASKS
NR_SCHEDULABLE = 2 * MAX_TASKS

# ----------------------------------------------------------------------------------------------------------------- values
RUNNING, WAITING, DONE = range(3)  # STATUS
SC, TSO = range(2)  # MEMORY_MODEL
PREPARE, STEPS, CHECK = range(3)  # points.PHASE
(UNDECIDED, CLEAN, PRUNED, BROKEN, OUT_OF_BOUNDS, DEADLOCK, LIVELOCK, OVERFLOW) = range(8)  # VERDICT
VERDICT_NAMES = ("undecided", "clean", "pruned", "bug", "out-of-bounds", "deadlock", "livelock", "overflow")
(STOP_BUDGET, STOP_FAILURE, STOP_STATE, STOP_COMPLETE) = range(4)  # why a batch returned
# words of one step in LOG
LOG_TASK, LOG_OP, LOG_ADDRESS, LOG_FIRST, LOG_SECOND, LOG_RESULT, LOG_BEFORE, LOG_ENABLED = range(8)
