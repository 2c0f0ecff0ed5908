"""Which mutants are tried, and by which nets in which order."""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stress.errors import UserError
from stress.explore.reach import reached_by
from stress.mutate.operators import Mutant
from stress.mutate.woven import model_key

STORM_SECONDS = 6.0
#: storms of the mutants that no model kills, in this order
STORMS = (("zoo",), ("storm", "migration=list", "offline=zero", "refcount=frozen-bit"))
#: storms only of mutants that no model reaches
FAR_STORMS = (("hotplug",),)
_BRIEFLY = 0.1  # of a model's schedules, before any model runs all of them


def chosen_mutants(mutants: Sequence[Mutant], only: Sequence[str], sample: int | None, seed: int) -> list[Mutant]:
    """The mutants with a matching name; `sample` of them, if given, drawn by the seed and the names alone.

    Raises      UserError if nothing matches
    """
    found = [each for each in mutants if not only or any(pattern == each.name or fnmatchcase(each.name, pattern) for pattern in only)]
    if not found:
        raise UserError(f"no mutant matches {' or '.join(map(repr, only))}; see pfnstorm mutate --list")
    if sample is not None and sample < len(found):
        drawn = sorted(found, key=lambda each: hashlib.sha256(f"{seed}:{each.name}".encode()).digest())[:sample]
        found = sorted(drawn, key=lambda each: each.number)
    return found


@dataclass
class Net:
    """One net: the words that start its server, and the mutants that it may be asked about.

    brief       it runs a part of the schedules, so a mutant that it does not kill is not judged yet
    false_alarm what it found in the kernels as they are
    sources     the hash of its own sources; see results.Trial
    """

    name: str
    words: tuple[str, ...]
    mutants: list[Mutant]
    brief: bool = False
    false_alarm: str = ""
    sources: str = ""


def model_nets(mutants: Sequence[Mutant], scale: float, names: Sequence[str], *, brief: bool = False) -> list[Net]:
    """The models among these names that reach some of the mutants, the smallest closure of calls first."""
    nets = []
    for name in sorted(names, key=lambda each: len(reached_by(each))):
        reached = [each for each in mutants if (each.file, each.function) in reached_by(name)]
        if reached:
            words = ("explore", name, f"{scale * _BRIEFLY if brief else scale:g}")
            nets.append(Net(f"explore {name}{' briefly' if brief else ''}", words, reached, brief, sources=model_key(name)))
    return nets


def storm_nets(mutants: Sequence[Mutant], models: Sequence[Net]) -> list[Net]:
    """The storms, for mutants that this processor can show: on x86-64 only fences and the compiler make an ordering matter."""
    seen = [each for each in mutants if each.kind != "order" or "fence" in each.text or platform.machine() != "x86_64"]
    reached = {each for net in models for each in net.mutants}
    far = [each for each in seen if each not in reached]
    about = [*((words, seen) for words in STORMS), *((words, far) for words in FAR_STORMS)]
    return [Net(f"storm {' '.join(words)}", ("storm", words[0], f"{STORM_SECONDS:g}", *words[1:]), chosen) for words, chosen in about]
