"""What `pfnstorm list` prints, from the registries and the layout: nothing is listed by hand."""

from collections.abc import Callable

from kernels.base.layout import COUNTERS, NUMBERS, POLICIES
from stress.storm.scenario import read_scenario, shipped_scenarios


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name.ljust(width)}  {text}" for name, text in rows]


def _roles() -> list[str]:
    from stress.roles import ROLES  # late: it imports kernels

    return _columns([(role.name, role.summary) for role in ROLES])


def _scenarios() -> list[str]:
    return _columns([(name, read_scenario(path).summary) for name, path in shipped_scenarios().items()])


def _checkers() -> list[str]:
    from stress.checkers import all_checkers

    return _columns([(checker.name, f"{', '.join(checker.invariants)}: {checker.summary}") for checker in all_checkers().values()])


def _types() -> list[str]:
    from kernels.types.table import TYPES

    width, home = (max(len(text) for text in texts) for texts in zip(*((row.name, row.home) for row in TYPES), strict=True))
    lines = [f"{'tag':<4} {'type':<{width}}  {'moves':<5}  {'counted':<7}  {'home':<{home}}  why; the rest of its word"]
    for row in TYPES:
        number = f"{row.tag.value}" if row.subtype is None else f"{row.tag.value}.{row.subtype.value}"
        moves, counted = ("yes" if flag else "no" for flag in (row.movable, row.counted))
        lines.append(f"{number:<4} {row.name:<{width}}  {moves:<5}  {counted:<7}  {row.home or '-':<{home}}  {row.why}; {row.data}")
    return lines


def _policies() -> list[str]:
    numbers = [(name, f"{least}..{most}, default {default}") for name, (least, most, default) in NUMBERS.items()]
    return _columns([(name, " | ".join(values)) for name, values in POLICIES.items()] + numbers)


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


def listing(what: str) -> list[str]:
    """The lines of `pfnstorm list WHAT`."""
    return _LISTINGS[what]()
