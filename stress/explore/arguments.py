"""What a user may name: models and strategies."""

from collections.abc import Sequence

from stress.errors import UserError, unknown
from stress.explore.model import Model
from stress.explore.models import all_models, families, known_models
from stress.explore.state import MAKES_LOADS_EARLY
from stress.explore.strategies import CHOOSABLE, NAMED, STRATEGIES

#: the default: all strategies but dfs, which serves comparisons; first those that end soonest, or that find most failures soonest
PORTFOLIO = ("dpor", "random", "surw", "pos", "pct-3", "urw", "pct-10", "pct-2", "delay", "preemption")


def chosen_models(names: Sequence[str] | None) -> tuple[Model, ...]:
    """Models by name, or all that must hold.

    Raises      UserError
    """
    known = known_models()
    for name in names or ():
        if name not in known:
            raise unknown("model", name, known, "pfnstorm explore --list")
    return tuple(known[name] for name in dict.fromkeys(names or all_models()))


def chosen_strategies(names: Sequence[str] | None, memory: str) -> tuple[str, ...]:
    """Strategies by name, or those of the portfolio that a memory model is for.

    Raises      UserError
    """
    for name in names or ():
        if name not in CHOOSABLE:
            raise unknown("strategy", name, CHOOSABLE)
        if not is_for(name, memory):
            samplers = ", ".join(each for each in CHOOSABLE if is_for(each, memory))
            raise UserError(f"--strategy {name} is exhaustive, and --memory {memory} is for samplers: choose among {samplers}")
    return tuple(name for name in dict.fromkeys(names or PORTFOLIO) if is_for(name, memory))


def is_for(strategy: str, memory: str) -> bool:
    """Whether a strategy makes all the choices of a memory model."""
    return memory not in MAKES_LOADS_EARLY or not STRATEGIES[NAMED[strategy][0]].exhaustive


def listing() -> list[str]:
    """Models and strategies, a line each."""
    known = known_models()
    width = max(map(len, (*known, *CHOOSABLE)))
    models = []
    for family, members in families().items():
        models.append(f"models, {family}:")
        models += [f"  {name.ljust(width)}  {model.summary} ({model.protocol})" for name, model in members.items() if not model.breaks]
    broken = [f"  {model.name.ljust(width)}  {model.summary}: {model.breaks}" for model in known.values() if model.breaks]
    strategies = [f"  {name.ljust(width)}  {STRATEGIES[NAMED[name][0]].summary}" for name in CHOOSABLE]
    return [*models, "models that must be violated, explored only by name:", *broken, "strategies:", *strategies]
