"""The final states of a small program, by enumeration of an abstract machine in plain Python. It shares no code with the explorer, so that
each verifies the other.

The state of the machine: the place of each thread, memory, the buffered stores of each thread, oldest first, and what it has loaded. SC: a
store goes to memory. TSO: it goes to the thread's buffer, which empties in order; a load sees the newest store in its thread's buffer; a
fence and an exchange wait until the buffer is empty. PSO: stores to different words leave the buffer in any order, a release only after
all older stores, and a relaxed exchange waits only for the stores to its word.
"""

from collections.abc import Iterator, Sequence

from stress.litmus.tape import EXCHANGE, EXCHANGE_RELAXED, FENCE, LOAD, STORE, STORE_RELEASE, Operation

MAX_STATES = 300_000  # of the abstract machine: seconds

#: values of the variables; per thread what its loads and exchanges saw, in order
Final = tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]
_Buffer = tuple[tuple[int, int, bool], ...]  # variable, value, whether it releases
_State = tuple[tuple[int, ...], tuple[int, ...], tuple[_Buffer, ...], tuple[tuple[int, ...], ...]]


def final_states(
    threads: Sequence[Sequence[Operation]], initial: Sequence[int], model: str, max_states: int = MAX_STATES
) -> set[Final] | None:
    """All final states under "sc", "tso" or "pso"; None if the machine has more states than `max_states`."""
    nothing: tuple[tuple[()], ...] = ((),) * len(threads)
    start: _State = ((0,) * len(threads), tuple(initial), nothing, nothing)
    seen, todo = {start}, [start]
    found: set[Final] = set()
    while todo:
        state = todo.pop()
        following = list(_following(threads, state, model))
        if not following:
            found.add((state[1], state[3]))
        for each in following:
            if each not in seen:
                seen.add(each)
                todo.append(each)
        if len(seen) > max_states:
            return None
    return found


def _with(values: tuple, k: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (*values[:k], value, *values[k + 1 :])


def _following(threads: Sequence[Sequence[Operation]], state: _State, model: str) -> Iterator[_State]:
    places, memory, buffers, loaded = state
    for t, operations in enumerate(threads):
        for k in _flushable(buffers[t], model):
            variable, value, _ = buffers[t][k]
            yield places, _with(memory, variable, value), _with(buffers, t, buffers[t][:k] + buffers[t][k + 1 :]), loaded
        if places[t] < len(operations):
            operation = operations[places[t]]
            after = _after(operation, memory, buffers[t], model)
            if after is not None:
                memory_after, buffer, seen = after
                yield _with(places, t, places[t] + 1), memory_after, _with(buffers, t, buffer), _with(loaded, t, loaded[t] + seen)


def _flushable(buffer: _Buffer, model: str) -> Iterator[int]:
    """The stores of a buffer that may reach memory now."""
    for k, (variable, _, releases) in enumerate(buffer):
        if k == 0 or (model == "pso" and not releases and all(variable != older for older, _, _ in buffer[:k])):
            yield k


def _after(
    operation: Operation, memory: tuple[int, ...], buffer: _Buffer, model: str
) -> tuple[tuple[int, ...], _Buffer, tuple[int, ...]] | None:
    """Memory, buffer and what was seen after an operation; None if it must wait."""
    variable, value = operation.variable, operation.value
    own = [written for word, written, _ in buffer if word == variable]
    if operation.kind == LOAD:
        return memory, buffer, (own[-1] if own else memory[variable],)
    if operation.kind in (STORE, STORE_RELEASE):
        if model == "sc":
            return _with(memory, variable, value), buffer, ()
        return memory, (*buffer, (variable, value, operation.kind == STORE_RELEASE)), ()
    if own if model == "pso" and operation.kind == EXCHANGE_RELAXED else buffer:
        return None
    if operation.kind == FENCE:
        return memory, buffer, ()
    if operation.kind in (EXCHANGE, EXCHANGE_RELAXED):
        return _with(memory, variable, value), buffer, (memory[variable],)
    raise ValueError(f"litmus tests have no operation {operation.kind}")
