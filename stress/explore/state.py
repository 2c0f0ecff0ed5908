"""The scheduler's words: the place of each in points.STATE, after those that tasks share. No behaviour.

They are one flat array of int64, which compiled tasks, the compiled scheduler and Python can all access; interpreted it is a list.
"""

from kernels.base.points import KIND_MASK, MAX_TASKS, SCHEDULER_WORDS, STATE_WORDS

# ---------------------------------------------------------------------------------------------------------------- scalars
(NR_TASKS, NR_LANES, STRATEGY, PARAMETER, SEED, SCHEDULE, RANDOM, NR_STEPS, VERDICT, HASH, NR_UNDO, LOGGING,
 LAST_TASK, LAST_WORD, LAST_ADDRESS, NR_RUN, TOTAL_STEPS, MOST_STEPS, CODE, STACKS, STACK_BYTES, STOP, NR_STATES, NOTING, COMPLETE,
 NR_RESTORED, NR_CHOICES, FLUSH_WEIGHT, NR_PRUNED, DIVERGED_AT, NR_GIVEN, LAST_WRITES, POINTS_EXPECTED, RACES, TIME, RACE_TASK,
 RACE_STEP, NR_WORDS_KNOWN, NR_PROFILED, INTERESTING, INTENDED, FINAL,
 NOTE_FIRST, PRIVACY, GREW, RESTARTS, NR_POINTS, TOTAL_POINTS, MOST_POINTS,
 PRIVATE_IN_A_ROW, LOOP_TURNS, LOOP_BEGAN, LOOP_FAIR, CUT,
 LOADS_EARLY, EARLY_WEIGHT, NR_GIVEN_EARLY) = range(SCHEDULER_WORDS, SCHEDULER_WORDS + 57)  # fmt: skip

#: what can be chosen: task t, and the flush of the oldest store in lane l of its store buffer, FLUSH + l * NR_TASKS + t
FLUSH, NR_SCHEDULABLE = MAX_TASKS, 62
NR_BUFFERS = NR_SCHEDULABLE - FLUSH
#: per memory model: the most words to which one task can have buffered stores at the same time, in any order
LANES = {"sc": 0, "tso": 1, "pso": 6, "rmo": 6}
MAKES_LOADS_EARLY = frozenset({"rmo"})  # LOADS_EARLY: such memory models are for samplers
#: a choice is a task or a flush, and for a load that returns an older value which one: 1 for the value before the newest write, and so on
VERSION_SHIFT = 6
CHOSEN_MASK = (1 << VERSION_SHIFT) - 1


class _Places:
    """Hands out the words after the scalars, one table after the other."""

    def __init__(self) -> None:
        self.free = SCHEDULER_WORDS + 64

    def take(self, words: int) -> int:
        begin, self.free = self.free, self.free + words
        return begin


_places = _Places()
_take = _places.take
# ----------------------------------------------------------------------------------------------------------------- tables
# per task
STATUS, SEEN, WOKEN, RESULTS, NR_BUFFERED, NR_STORED, NEXT_LANE, WAITED_ON, SLOT = (_take(MAX_TASKS) for _ in range(9))
NR_HASHES = 61  # of words, in sets and small tables of them
# the earliest moment of a task's loads, counted in the schedule's writes: of all, and by the hash of the word of those of one word
HORIZON, COHERENT = _take(MAX_TASKS), _take(MAX_TASKS * NR_HASHES)
NR_MADE = _take(MAX_TASKS)  # accesses of a task, counted where loads may be early
# per lane, by number of its flush - FLUSH: the number of its stores, the place of the oldest in the ring, and their word (PSO)
BUFFERED, OLDEST, LANE_WORD = (_take(NR_BUFFERS) for _ in range(3))
# the stores: address, width, value, number among its task's stores, the point that made it or the last one before it (from 1), ordering
BUFFER_CAPACITY, BUFFER_WORDS = 16, 6
B_ADDRESS, B_WIDTH, B_VALUE, B_NUMBER, B_POINT, B_ORDER = range(BUFFER_WORDS)
BUFFERS = _take(NR_BUFFERS * BUFFER_CAPACITY * BUFFER_WORDS)
# first address and the address after the last, of each field by number
FIELDS_MAX = 512
FIELD_BEGIN, FIELD_END = _take(FIELDS_MAX), _take(FIELDS_MAX)
# what tasks write without asking the scheduler is copied back: (address, words, address of the copy)
RESTORED_WORDS = 3
RESTORED = _take(64 * RESTORED_WORDS)
PRIORITIES = _take(NR_SCHEDULABLE)  # per schedulable
CHANGE_POINTS = _take(64)
# what random walks have shown: steps of each schedulable; the words that several tasks touch, and how often each does
PROFILE_STEPS, REMAINING = _take(NR_SCHEDULABLE), _take(NR_SCHEDULABLE)
PROFILED_MAX = 128
PROFILE_ADDRESSES, PROFILE_COUNTS = _take(PROFILED_MAX), _take(PROFILED_MAX * NR_SCHEDULABLE)
MAX_STEPS = 8192
CHOICES, GIVEN = _take(MAX_STEPS), _take(MAX_STEPS)
GIVEN_EARLY = _take(3 * MAX_STEPS)  # in a given schedule: task, number of its access from 0, which older value
UNDO_WORDS, UNDO_CAPACITY = 3, 2 * MAX_STEPS
UNDO = _take(UNDO_WORDS * UNDO_CAPACITY)
LOG_WORDS = 8
LOG = _take(LOG_WORDS * MAX_STEPS)
STATES_CAPACITY = 1 << 15
STATES = _take(STATES_CAPACITY)
# happens-before: clocks per task (its own; as of its last fence; what its relaxed loads have seen) and per buffered store
CLOCK, FENCED, ACQUIRABLE = (_take(MAX_TASKS * MAX_TASKS) for _ in range(3))
STORE_CLOCKS = _take(NR_BUFFERS * BUFFER_CAPACITY * MAX_TASKS)
# the words that tasks have touched: a hash table of addresses, and for each word rows with an entry per task: the clock that its value
# carries, the times of the task's last plain load, atomic load, plain store, atomic store
KNOWN_CAPACITY = 1 << 12
KNOWN, TOUCHED_BY = _take(KNOWN_CAPACITY), _take(KNOWN_CAPACITY)
W_RELEASED, W_PLAIN_LOADS, W_LOADS, W_PLAIN_STORES, W_STORES, WORD_ROWS = range(6)
WORDS = _take(KNOWN_CAPACITY * WORD_ROWS * MAX_TASKS)
# the states of a long schedule, each with how often it has come back; a state that needs a taken slot replaces the old one
LOOP_CAPACITY = 1 << 10
LOOP_STATES = _take(2 * LOOP_CAPACITY)
STRATEGY_WORDS = _places.free  # the words of the strategy, from here to the end
RESTARTED_WORDS = 16  # so many of them are 0 when the strategy begins
if STRATEGY_WORDS + (10 << 16) > STATE_WORDS:
    raise AssertionError("points.STATE_WORDS is too small")

# ----------------------------------------------------------------------------------------------------------------- values
RUNNING, WAITING, DONE = range(3)  # STATUS
# TOUCHED_BY: 0 no task yet, 2 x (task + 1) this task alone, + 1 if it wrote
READ_BY_MANY, SHARED = 1, -1
PREPARE, STEPS, CHECK = range(3)  # points.PHASE
(UNDECIDED, CLEAN, PRUNED, BROKEN, OUT_OF_BOUNDS, DEADLOCK, LIVELOCK, OVERFLOW, RACE) = range(9)  # VERDICT
VERDICT_NAMES = ("undecided", "clean", "pruned", "bug", "out-of-bounds", "deadlock", "livelock", "overflow", "race")
(STOP_BUDGET, STOP_FAILURE, STOP_STATE, STOP_COMPLETE) = range(4)  # why a batch returned
# words of one step in LOG
LOG_TASK, LOG_OP, LOG_ADDRESS, LOG_FIRST, LOG_SECOND, LOG_RESULT, LOG_BEFORE, LOG_ENABLED = range(8)
FLUSH_OP = KIND_MASK  # LOG_OP of a buffered store that reaches memory
