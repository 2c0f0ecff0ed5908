"""Programs that are data (tape.py) as a model, in which litmus tests and random programs are explored."""

from collections.abc import Sequence

from kernels.base.jit import kernel
from kernels.base.layout import RING_EVENTS
from stress.explore.engine import Engine
from stress.explore.model import Model, small_geometry
from stress.litmus.tape import MAX_THREADS, MAX_VARIABLES, STOP, VARIABLE_STRIDE, Operation, access, write_tapes

MASK48 = (1 << 48) - 1
_WORDS_PER_FRAME, _FRAMES = 32, 64


@kernel
def steps(mem, cpu):  # type: ignore[no-untyped-def]
    """Run a CPU's program from its tape.

    Returns     a digest of all words seen
    Progress    blocking
    """
    digest = 0
    for k in range(RING_EVENTS):
        at = cpu * RING_EVENTS + k
        kind = mem.ring_event[at]
        if kind == STOP:
            break
        seen = access(mem, cpu, at, kind, mem.ring_pfn[at] * VARIABLE_STRIDE)
        mem.ring_cycles[at + RING_EVENTS // 2] = seen
        digest = (digest * 1000003 + seen + 1) & MASK48
    return digest


@kernel
def prepare(mem, cpu):  # type: ignore[no-untyped-def]
    """Nothing: Python writes the program on the tapes.

    Returns     0
    """
    return 0


@kernel
def check(mem, cpu):  # type: ignore[no-untyped-def]
    """Nothing: Python inspects the final states.

    Returns     0
    """
    return 0


def program_model(nr_threads: int) -> Model:
    """The model of programs of so many threads."""
    return Model(
        f"programs-{nr_threads}",
        "programs that are data",
        "litmus tests",
        small_geometry(nr_threads, frames_per_node=_FRAMES, words_per_frame=_WORDS_PER_FRAME),
        prepare,
        steps,
        check,
        at_rest=False,
    )


if MAX_VARIABLES * VARIABLE_STRIDE > _FRAMES * _WORDS_PER_FRAME:
    raise AssertionError("the variables of programs do not fit into their machine")


class Programs:
    """An engine that runs programs of up to MAX_THREADS threads, one after the other."""

    def __init__(self, memory: str) -> None:
        self.engine = Engine(program_model(MAX_THREADS), memory, races=False, privacy=False)

    def load(self, threads: Sequence[Sequence[Operation]], initial: Sequence[int]) -> None:
        """Write a program on the tapes, and the initial values of its variables."""
        arrays = self.engine.mem.arrays
        write_tapes(arrays, threads, MAX_THREADS)
        self.engine.set_tasks(len(threads))
        self.engine.put_back()
        for variable in range(MAX_VARIABLES):
            arrays["contents"][variable * VARIABLE_STRIDE] = initial[variable] if variable < len(initial) else 0

    def seen(self, cpu: int, k: int) -> int:
        """The word that operation k of a CPU saw in the schedule that ended last."""
        return int(self.engine.mem.arrays["ring_cycles"][cpu * RING_EVENTS + RING_EVENTS // 2 + k])

    def variable(self, number: int) -> int:
        """The value of a variable after the schedule that ended last."""
        return int(self.engine.mem.arrays["contents"][number * VARIABLE_STRIDE])
