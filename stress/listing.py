"""What `pfnstorm list` prints. Derived from the registries and the layout, so nothing is listed by hand."""

from collections.abc import Callable

from kernels.base.layout import COUNTERS, POLICIES, Misc, Type
from stress.scenario import read_scenario, shipped_scenarios


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name.ljust(width)}  {text}" for name, text in rows]


def _roles() -> list[str]:
    from stress.roles import ROLES  # late: it imports the kernels

    return _columns([(role.name, role.summary) for role in ROLES])


def _scenarios() -> list[str]:
    return _columns([(name, read_scenario(path).summary) for name, path in shipped_scenarios().items()])


def _checkers() -> list[str]:
    from stress.checkers import all_checkers

    return _columns([(checker.name, f"{', '.join(checker.invariants)}: {checker.summary}") for checker in all_checkers().values()])


def _types() -> list[str]:
    types = [(each.name.lower(), f"{each.value}") for each in Type]
    return _columns(types + [(f"misc.{each.name.lower()}", f"{Type.MISC.value}, subtype {each.value}") for each in Misc])


def _policies() -> list[str]:
    return _columns([(name, " | ".join(values)) for name, values in POLICIES.items()])


def _counters() -> list[str]:
    return list(COUNTERS)


_LISTINGS: dict[str, Callable[[], list[str]]] = {
    "roles": _roles,
    "scenarios": _scenarios,
    "checkers": _checkers,
    "types": _types,
    "policies": _policies,
    "counters": _counters,
}


def lines_of(what: str) -> list[str]:
    """The lines of one listing."""
    return _LISTINGS[what]()
