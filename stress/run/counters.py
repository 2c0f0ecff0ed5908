"""`pfnstorm list counters`: what each counter counts, and the kernels that count it, read from their sources."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from kernels.base import layout
from kernels.base.layout import (
    ATOMICS,
    COUNTER_MEANINGS,
    COUNTERS,
    FAMILIES,
    FAMILY_FIELDS,
    MEETINGS,
    SPECULATION,
    VMSTAT,
    family_members,
)
from stress.io.text import columns

ROOT = Path(__file__).resolve().parents[2]
COUNTING = ("kernels", "stress/roles")
#: a section's title, the prefix of its counters, and their names without it
_SECTIONS = (
    ("vmstat, named as in /proc/vmstat; (own): Linux has none of that name", "", VMSTAT),
    ("speculative references (counters spec_NAME)", "spec_", SPECULATION),
    ("meetings: one operation with another; a scenario may require them (counters met_NAME)", "met_", MEETINGS),
    ("compare-and-exchange", "", ATOMICS),
)
_IN_SECTIONS = {prefix + name for _, prefix, names in _SECTIONS for name in names}
_RANGES = tuple(name for name in COUNTER_MEANINGS if name not in _IN_SECTIONS)


@cache  # of files, which do not change
def counting_sites(root: Path = ROOT) -> Mapping[str, Sequence[str]]:
    """For each counter, and for the first one of each family, the functions that count it: "path: f(), g()"."""
    functions: dict[str, dict[str, list[str]]] = {name: {} for name in COUNTERS}
    for path in sorted(path for folder in COUNTING for path in (root / folder).rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for name in _counted(function):
                    called = functions[name].setdefault(str(path.relative_to(root)), [])
                    called += [] if function.name in called else [function.name]
    return {
        name: [f"{path}: {', '.join(f'{each}()' for each in called)}" for path, called in files.items()]
        for name, files in functions.items()
    }


def _counted(function: ast.FunctionDef) -> Iterator[str]:
    """The counters that a function names: `counter.NAME`, or the C_NAME that a family begins at."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "counter":
            yield node.attr.lower()
        elif isinstance(node, ast.Name) and node.id.startswith("C_") and hasattr(layout, node.id):
            yield COUNTERS[getattr(layout, node.id)]


def _line(shown: str, meaning: str, counter: str) -> tuple[str, str]:
    return f"  {shown}", f"{meaning} [{'; '.join(counting_sites()[counter]) or 'no kernel counts it'}]"


def listing() -> list[str]:
    """The lines of `pfnstorm list counters`: names as reports print them; families by their rule."""
    lines = []
    for title, prefix, names in (*_SECTIONS, ("whole ranges", "", _RANGES)):
        lines += [title, *columns([_line(name, COUNTER_MEANINGS[prefix + name], prefix + name) for name in names])]
    lines += ["families: one counter for each reason, cause or refusal"]
    lines += columns([_line(family, meaning, family_members(family)[0]) for family, meaning in FAMILIES.items()])
    for field, members in FAMILY_FIELDS.items():
        lines += ["{" + field + "}", *columns([(f"  {member.name.lower()}", member.meaning) for member in members])]
    return lines
