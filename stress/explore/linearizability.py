"""Linearizability: the calls that the tasks of a model recorded in one schedule, against an oracle that makes one call at a time.

Tasks read a clock before a call and advance it after it (models/_history.py), so one call comes before another if it returned before
the other was invoked. A history is linearizable if its calls have an order that keeps this and in which the oracle gives the same results
(M. Herlihy, J. Wing, TOPLAS 1990). The search is Wing and Gong's with the memory of G. Lowe ("Testing for linearizability", 2017): it
never visits the same set of calls made with the same state twice. The calls on each key, a descriptor or a frame, are searched alone.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

#: words of `scratch`: the clock, and a row for each CPU, the number of its records and then the records
CLOCK, HISTORY, HISTORY_WORDS = 15, 16, 12
#: a record, one word: number of the operation's name, object, result + 1, moments of call and return
NAME_MASK, VALUE_MASK, TIME_MASK = 0xFF, 0xFFFF, 0x7FF
KEY_SHIFT, RESULT_SHIFT, INVOKED_SHIFT, RETURNED_SHIFT = 8, 24, 40, 51


@dataclass(frozen=True)
class RecordedCall:
    """One call: the CPU, the operation, the object, the result, and the moments of call and return."""

    cpu: int
    name: str
    key: int
    result: int
    invoked: int
    returned: int

    def __str__(self) -> str:
        return f"cpu {self.cpu} {self.name}({self.key}) = {self.result}"


@dataclass(frozen=True)
class Oracle:
    """How an object behaves when calls on it do not overlap.

    names       of the operations, by number
    invariant   the one that is broken if a history has no order
    initial     the state of every object
    following   (state, name, result) -> the state after an operation with that result, or None if it cannot have that result
    """

    names: tuple[str, ...]
    invariant: str
    initial: Hashable
    following: Callable[[Any, str, int], Any]


def history_of(arrays: Any, nr_cpus: int, oracle: Oracle) -> tuple[RecordedCall, ...]:
    """The calls that the model's preparation and the tasks of a schedule recorded."""
    words = arrays["scratch"]
    found = []
    for cpu in range(nr_cpus):
        row = HISTORY + cpu * HISTORY_WORDS
        for k in range(int(words[row])):
            word = int(words[row + 1 + k])
            name, key, result = word & NAME_MASK, word >> KEY_SHIFT & VALUE_MASK, (word >> RESULT_SHIFT & VALUE_MASK) - 1
            invoked, returned = word >> INVOKED_SHIFT & TIME_MASK, word >> RETURNED_SHIFT & TIME_MASK
            found.append(RecordedCall(cpu, oracle.names[name], key, result, invoked, returned))
    return tuple(found)


def not_linearizable(history: Sequence[RecordedCall], oracle: Oracle) -> tuple[RecordedCall, ...] | None:
    """The calls on the first object whose results no order gives; None if there is an order for every object."""
    for key in sorted({operation.key for operation in history}):
        operations = tuple(operation for operation in history if operation.key == key)
        if not _has_order(operations, oracle):
            return operations
    return None


def _has_order(operations: Sequence[RecordedCall], oracle: Oracle) -> bool:
    everything = (1 << len(operations)) - 1
    seen, todo = {(0, oracle.initial)}, [(0, oracle.initial)]
    while todo:
        done, state = todo.pop()
        if done == everything:
            return True
        left = [(k, operation) for k, operation in enumerate(operations) if not done >> k & 1]
        deadline = min(operation.returned for _, operation in left)
        for k, operation in left:
            if operation.invoked >= deadline:  # another call had returned before it was made
                continue
            after = oracle.following(state, operation.name, operation.result)
            reached = (done | 1 << k, after)
            if after is not None and reached not in seen:
                seen.add(reached)
                todo.append(reached)
    return False


# --------------------------------------------------------------------------------------------------------------- oracles


def _refcount(count: int, name: str, result: int) -> int | None:
    """A count that is frozen at 0. Results: try_get whether it succeeded, put whether it was the last, freeze whether it froze."""
    if name == "try_get":
        return (count + 1 if result else count) if bool(result) == (count > 0) else None
    if name == "put":
        return count - 1 if count > 0 and bool(result) == (count == 1) else None
    if name == "freeze":  # from exactly one reference
        return (0 if result else count) if bool(result) == (count == 1) else None
    if name == "unfreeze":
        return 1 if count == 0 else None
    raise ValueError(f"a count has no operation {name}")


REFCOUNT_NAMES = ("try_get", "put", "freeze", "unfreeze")
REFCOUNT = Oracle(REFCOUNT_NAMES, "I3", 0, _refcount)


def _frame(owned: bool, name: str, result: int) -> bool | None:
    """A frame that is allocated once at a time. A failed allocation is never right, since models leave frames to spare."""
    if name == "alloc":
        return True if result >= 0 and not owned else None
    if name == "free":
        return False if owned else None
    raise ValueError(f"an allocator has no operation {name}")


ALLOCATOR_NAMES = ("alloc", "free")
ALLOCATOR = Oracle(ALLOCATOR_NAMES, "I1", False, _frame)
