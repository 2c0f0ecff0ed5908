"""Every key of a scenario file, from the models that check it: `pfnstorm list scenario-keys`, and docs/scenarios.md.

python -m stress.run.scenario_keys [--write]      # print docs/scenarios.md, or write it
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from kernels.base.layout import COUNTER_MEANINGS, MEETINGS, NUMBER_MEANINGS, POLICY_MEANINGS
from stress.io.text import columns
from stress.storm.scenario import Scenario, read_scenario, shipped_scenarios

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "scenarios.md"
HEADS = ("key", "type", "bounds", "default", "meaning")
_TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "array": "list", "object": "table"}


@dataclass(frozen=True)
class ScenarioKey:
    """One key: a row of its table."""

    name: str
    kind: str
    bounds: str
    default: str
    meaning: str


@dataclass(frozen=True)
class ScenarioTable:
    """One table of the file; the title of the file's top is its own."""

    title: str
    meaning: str
    keys: tuple[ScenarioKey, ...]


def scenario_tables() -> list[ScenarioTable]:
    """The tables of a scenario file, the top first."""
    schema = Scenario.model_json_schema()
    tables = [ScenarioTable("top of the file", "above the first table", tuple(_keys(schema)))]
    for model in schema["$defs"].values():
        title, _, meaning = model["description"].partition(": ")
        tables.append(ScenarioTable(title, meaning, tuple(_keys(model))))
    return tables


def _keys(model: dict[str, Any]) -> Iterator[ScenarioKey]:
    for name, given in model["properties"].items():
        # what may be absent is "this or null"
        value = given | next((each for each in given.get("anyOf", ()) if each.get("type") != "null"), {})
        default = "required" if name in model.get("required", ()) else _default(given.get("default"))
        yield ScenarioKey(name, _kind(value), _bounds(value), default, given["description"])


def _kind(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return "table"
    of = value.get("items", value.get("additionalProperties"))
    return f"{_TYPES[value['type']]} of {_plural(of)}" if of else _TYPES[value["type"]]


def _plural(value: dict[str, Any]) -> str:
    kind = _kind(value)
    return kind if kind == "text" else f"{kind}s"


def _bounds(value: dict[str, Any]) -> str:
    each = value.get("additionalProperties", value)
    least, most = each.get("minimum"), each.get("maximum")
    if "pattern" in value:
        return str(value["pattern"])
    if most is not None:
        return f"{least:g} to {most:g}"
    return "" if least is None else f"at least {least:g}"


def _default(value: object) -> str:
    """A default as TOML has it; a table, a list or nothing is no value: the meaning says what is done without it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else "-"


def listing() -> list[str]:
    """The lines of `pfnstorm list scenario-keys`."""
    lines = []
    for table in scenario_tables():
        lines += [f"{table.title}: {table.meaning}", *columns([HEADS, *map(astuple, table.keys)], "  ")]
    return lines


# ------------------------------------------------------------------------------------------------------------------ the page

EXAMPLE = """\
name = "example"
summary = "speculators against a compactor"
meetings = ["speculation_on_frozen"]

[machine]
memory = "128M"
frame_bytes = 1024

[policy]
offline = "counted"

[roles]
anon = 4
speculator = 4
compactor = 1
"""

_HEAD = f"""\
# Scenario files

A scenario says what a storm is made of: the machine, the roles, the policies, and the meetings without which it has proved nothing. It is a
TOML file: `pfnstorm run FILE.toml` storms it, and `stress/scenarios/` has those that `pfnstorm run NAME` finds by name. An unknown key,
role, policy or meeting is refused in one line. Options of `pfnstorm run` override the file.

Made by `python -m stress.run.scenario_keys --write` from the models in `stress/storm/scenario.py` that check a file and from
`kernels/base/names.py`. `pfnstorm list scenario-keys`, `list policies` and `list counters` print the same.

```toml
{EXAMPLE}```

Roles are given once: by `[roles]` (each worker has them all), by `[[workers]]` (each mix has its own workers), or by `trace`. A dash as the
default: the meaning says what happens without the key.
"""


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *(f"| {' | '.join(row)} |" for row in cells)]


def _key_row(key: ScenarioKey) -> list[str]:
    bounds = f"`{key.bounds}`" if key.bounds.startswith("^") else key.bounds
    return [f"`{key.name}`", key.kind, bounds, key.default, key.meaning]


def render() -> str:
    """docs/scenarios.md."""
    lines = [_HEAD, "## Keys"]
    for table in scenario_tables():
        lines += ["", f"### {table.title}", "", f"{table.meaning[0].upper()}{table.meaning[1:].rstrip('.')}.", ""]
        lines += _markdown(HEADS, map(_key_row, table.keys))
    lines += ["", "## Policies", "", "The first value of each is the default.", ""]
    lines += _markdown(("policy", "value", "meaning"), _policy_rows())
    numbers = (
        (f"`{name}`", f"{low} to {high}", f"{usual}", f"{unit} {meaning}")
        for name, (meaning, unit, (low, high, usual)) in NUMBER_MEANINGS.items()
    )
    lines += ["", *_markdown(("policy", "bounds", "default", "meaning"), numbers)]
    lines += ["", "## Meetings", "", "One operation with another, counted where it happens.", ""]
    lines += _markdown(("meeting", "what meets"), ((f"`{name}`", COUNTER_MEANINGS[f"met_{name}"]) for name in MEETINGS))
    lines += ["", "## Shipped scenarios", ""]
    lines += _markdown(("scenario", "summary"), ((f"`{name}`", read_scenario(path).summary) for name, path in shipped_scenarios().items()))
    return "\n".join(lines) + "\n"


def _policy_rows() -> Iterator[tuple[str, str, str]]:
    for name, (meaning, values) in POLICY_MEANINGS.items():
        yield f"`{name}`", "", meaning
        yield from (("", f"`{value}`", text) for value, text in values.items())


def main(words: Sequence[str] | None = None) -> int:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(prog="python -m stress.run.scenario_keys", description="Print docs/scenarios.md.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)} in place of printing it")
    page = render()
    if parser.parse_args(words).write:
        PAGE.write_text(page, encoding="utf-8")
    else:
        print(page, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
