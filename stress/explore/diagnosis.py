"""How a schedule failed, read from the machine as the schedule left it: the record that bug() wrote, the access out of bounds, the race,
the CPUs that wait and the cycle they form."""

from dataclasses import dataclass
from typing import Any

from kernels.base import points
from kernels.base.layout import Bug
from stress.explore import state
from stress.explore.livelock import TURNS_MIN
from stress.explore.operations import signature, word_at
from stress.machine.segment import describe_lock, read_params
from stress.machine.words import value_text

AT_REST = "at-rest"  # a verdict beside state.VERDICT_NAMES: a checker at rest, or the oracle, found it


@dataclass(frozen=True)
class Found:
    """How one schedule failed: verdict, and the record that bug() wrote."""

    verdict: str
    code: str = ""
    invariant: str = ""
    cpu: int = -1
    pfn: int = -1
    seen: int = 0
    wanted: int = 0
    message: str = ""

    @property
    def is_at_rest(self) -> bool:
        """Whether the schedule itself ended well, and its final state is wrong."""
        return self.verdict == AT_REST

    def same_failure(self, other: "Found") -> bool:
        return (self.verdict, self.code) == (other.verdict, other.code)

    def describe(self) -> str:
        """How the schedule failed, in one line."""
        frame = f", frame {self.pfn}" if self.pfn >= 0 else ""
        if self.is_at_rest:
            return f"at rest, {self.code} ({self.invariant}){frame}: {self.message}"
        if self.verdict != "bug":
            return f"{self.verdict}: {self.message}" if self.message else self.verdict
        code = Bug[self.code]
        words = f"{code.seen} {value_text(self.seen)}, {code.wanted} {value_text(self.wanted)}"
        return f"{self.code} ({self.invariant}) on cpu {self.cpu}{frame}: {words}"


def diagnose(words: Any, mem: Any) -> Found | None:
    """How the last schedule failed by itself, or None."""
    verdict = int(words[state.VERDICT])
    if verdict in (state.UNDECIDED, state.CLEAN, state.PRUNED):
        return None
    if verdict == state.BROKEN:
        arrays = mem.arrays
        code = Bug(int(arrays["bug_code"][0]))
        cpu, pfn, seen, wanted = (int(arrays[f"bug_{part}"][0]) for part in ("cpu", "pfn", "seen", "wanted"))
        return Found("bug", code.name, code.invariant, cpu, pfn, seen, wanted)
    if verdict == state.RACE:
        return _race(words, mem)
    if verdict == state.OUT_OF_BOUNDS:
        return _out_of_bounds(words, mem)
    stuck = verdict in (state.DEADLOCK, state.LIVELOCK)
    return Found(state.VERDICT_NAMES[verdict], message=_stuck(words, mem) if stuck else "")


def _out_of_bounds(words: Any, mem: Any) -> Found:
    """The request that is out of bounds. It is not a step of the schedule, since it was never made."""
    cpu = int(words[points.CURRENT])
    op, address = _request(words, cpu)
    name = points.FIELD_NAMES[op >> points.FIELD_SHIFT]
    text = f"cpu {cpu} requests {signature(op, address - mem.base)}; {name} has {len(mem.arrays[name])} elements"
    return Found("out-of-bounds", name, cpu=cpu, message=text)


def _race(words: Any, mem: Any) -> Found:
    """The two accesses that nothing orders: the last step, and an earlier one."""
    address, last = int(words[state.LAST_ADDRESS]), int(words[state.LAST_TASK])
    other, step = int(words[state.RACE_TASK]), int(words[state.RACE_STEP])
    name = word_at(address - mem.base)
    steps = f"step {step} of cpu {other} and step {int(words[state.NR_STEPS])} of cpu {last}"
    return Found("race", name.partition("[")[0], cpu=last, message=f"{name}: nothing orders {steps}, and one of them is plain")


def _stuck(words: Any, mem: Any) -> str:
    """The CPUs that have not ended, what each waits for, and the cycle if there is one."""
    waits_for: dict[int, int] = {}
    texts = []
    for cpu in range(int(words[state.NR_TASKS])):
        status = int(words[state.STATUS + cpu])
        if status == state.DONE:
            continue
        text, owner = _waiting(words, mem, cpu)
        texts.append(f"cpu {cpu} {text if status == state.WAITING else 'runs'}")
        if owner is not None:
            waits_for[cpu] = owner
    if words[state.VERDICT] == state.LIVELOCK:
        texts.append(_loop(words, mem))
    cycle = find_cycle(waits_for)
    if cycle:
        texts.append(f"a cycle: cpu {' -> cpu '.join(map(str, [*cycle, cycle[0]]))}")
    return ", ".join(texts)


def _loop(words: Any, mem: Any) -> str:
    """The state that came back, if one did; else the number of steps without an end."""
    nr_steps = int(words[state.NR_STEPS])
    if words[state.LOOP_TURNS] < TURNS_MIN:
        return f"no end after {nr_steps:,} steps"
    places = []
    for cpu in range(int(words[state.NR_TASKS])):
        if words[state.STATUS + cpu] == state.RUNNING:
            op, address = _request(words, cpu)
            places.append(f"cpu {cpu} at {signature(op, address - mem.base if address else 0)}")
    steps = nr_steps - int(words[state.LOOP_BEGAN])
    return f"the same state came back {TURNS_MIN} times in {steps:,} steps: {', '.join(places)}"


def _waiting(words: Any, mem: Any, cpu: int) -> tuple[str, int | None]:
    """What a CPU waits for, and the CPU that holds it if that is known."""
    arrays = mem.arrays
    lock = int(arrays["cpu_waits"][cpu]) - 1
    if 0 <= lock < len(arrays["lock_word"]):
        owner = int(arrays["lock_word"][lock]) - 1
        name = describe_lock(read_params(arrays), lock)
        held = f"held by cpu {owner}" if owner >= 0 else "free" if owner == -1 else f"shared by {-owner - 1} readers"
        return f"waits for the {name}, {held}", owner if owner >= 0 else None
    address = int(words[state.WAITED_ON + cpu])
    return f"waits for a change of {word_at(address - mem.base)}" if address else "waits", None


def _request(words: Any, cpu: int) -> tuple[int, int]:
    """The operation and the address of what a CPU is about to do."""
    at = points.REQUESTS + points.REQUEST_WORDS * cpu
    return int(words[at]), int(words[at + 1])


def find_cycle(waits_for: dict[int, int]) -> list[int]:
    """The CPUs that wait for each other in a cycle, from the lowest on; empty if there is none."""
    for first in sorted(waits_for):
        path = [first]
        while (following := waits_for.get(path[-1])) is not None and following not in path:
            path.append(following)
        if following == first:
            return path
    return []
