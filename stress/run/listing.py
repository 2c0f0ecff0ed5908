"""What `pfnstorm list` prints, from the registries and the layout: nothing is listed by hand."""

from collections.abc import Callable

from kernels.base.layout import NUMBER_MEANINGS, POLICY_MEANINGS, Bug
from stress.io.text import columns
from stress.run import counters, scenario_keys
from stress.storm.scenario import read_scenario, shipped_scenarios


def _roles() -> list[str]:
    from stress.roles import ROLES  # late: it imports kernels

    return columns([(role.name, role.summary) for role in ROLES])


def _scenarios() -> list[str]:
    return columns([(name, read_scenario(path).summary) for name, path in shipped_scenarios().items()])


def _checkers() -> list[str]:
    from stress.checkers import all_checkers

    return columns([(checker.name, f"{', '.join(checker.invariants)}: {checker.summary}") for checker in all_checkers().values()])


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
    """A policy, then its values, or the bounds of its number."""
    rows: list[tuple[str, str]] = []
    for name, (meaning, values) in POLICY_MEANINGS.items():
        rows.append((name, f"{meaning}; default {next(iter(values))}"))
        rows += [(f"  {value}", text) for value, text in values.items()]
    for name, (meaning, unit, (least, most, default)) in NUMBER_MEANINGS.items():
        rows.append((name, f"{unit} {meaning}; {least} to {most}, default {default}"))
    return columns(rows)


def _bugs() -> list[str]:
    """The codes of bug(); seeded bugs are another thing, which `pfnstorm bugs` lists."""
    rows = [(str(int(bug)), bug.name, bug.invariant, bug.summary, f"{bug.seen}; {bug.wanted}") for bug in Bug]
    return columns([("code", "bug:NAME", "breaks", "what a kernel found", "the two words of its record: seen; wanted"), *rows])


_LISTINGS: dict[str, Callable[[], list[str]]] = {
    "roles": _roles,
    "scenarios": _scenarios,
    "scenario-keys": scenario_keys.listing,
    "checkers": _checkers,
    "types": _types,
    "policies": _policies,
    "counters": counters.listing,
    "bugs": _bugs,
}


def listing(what: str) -> list[str]:
    """The lines of `pfnstorm list WHAT`."""
    return _LISTINGS[what]()
