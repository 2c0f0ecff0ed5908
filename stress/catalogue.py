"""The invariants, the real bugs and the protocols that this project is about, and the page that docs/invariants.md is.

    python -m stress.catalogue [--write]      # print docs/invariants.md, or write it

Statements, Linux's functions and the catalogue of real bugs are data (catalogue.toml). Which checkers, assertions, seeded bugs and models
guard an invariant is read from them, so that the page cannot promise what is not there.
"""

import argparse
import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import fill
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from kernels.base.layout import Bug
from stress.bugs.story import SeededBug, seeded_bugs
from stress.checkers import Checker, all_checkers
from stress.explore.model import Model
from stress.explore.models import known_models
from stress.io.reading import read_toml
from stress.io.text import columns

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_suffix(".toml")
PAGE = ROOT / "docs" / "invariants.md"
#: where bug() is called: kernels, and the kernels of roles and models
MODELS = "stress/explore/models"
ASSERTING = ("kernels", "stress/roles", MODELS)
#: codes that are written without a call of bug()
UNCALLED = {Bug.BOUNDS: "checked accesses of kernels/base/memory.py"}
WIDTH = 130

#: what cites the table: I1, L2, F-3, A12, P5; and I12-I16, which names all between
CITATION = re.compile(r"(?<![\w-])(?P<kind>F-|[A-ILP])(?P<first>[1-9]\d?)(?:-(?P=kind)(?P<last>[1-9]\d?))?(?!\w)")
NOT_CITED = {"I64"}  # LLVM's integer type


def _joined(value: object) -> object:
    return " ".join(value.split()) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_joined)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Invariant(_Strict):
    """One invariant.

    linux       functions and files that it comes from
    at_rest     what checkers compare when all workers are parked; in_act: what an assertion in a kernel stops; explored: what else the
                explorer finds
    leaves_out  what of Linux's invariant the model does not have
    unchecked   why no checker and no assertion has this id, if none has
    """

    title: Text = Field(min_length=3)
    statement: Text = Field(min_length=20)
    linux: tuple[Text, ...] = Field(min_length=1)
    protocols: tuple[str, ...]
    at_rest: Text
    in_act: Text
    explored: Text
    leaves_out: Text
    unchecked: Text = ""


class RealBug(_Strict):
    """One race that Linux has had, or has.

    commit      with the marks of its source: hash unverified, excerpt, none
    invariants  that detect it; none if it is a matter of policy or cost, which the note says then
    """

    commit: Text = Field(min_length=4)
    subject: Text = Field(min_length=4)
    interleaving: Text = Field(min_length=10)
    outcome: Text = Field(min_length=4)
    invariants: tuple[str, ...]
    open: bool = False
    note: Text = ""


class Catalogue(_Strict):
    """The whole table, checked: every id that it names is one of its own."""

    invariants: dict[str, Invariant]
    bugs: dict[str, RealBug]
    protocols: dict[str, Text]

    @model_validator(mode="after")
    def _names_itself_only(self) -> "Catalogue":
        for name, invariant in self.invariants.items():
            _check_known(f"{name}.protocols", invariant.protocols, self.protocols)
        for name, bug in self.bugs.items():
            _check_known(f"{name}.invariants", bug.invariants, self.invariants)
            if not bug.invariants and not bug.note:
                raise ValueError(f"{name}: no invariant detects it, and no note says why")
        return self

    @property
    def ids(self) -> frozenset[str]:
        """Everything that may be cited."""
        return frozenset((*self.invariants, *self.bugs, *self.protocols))


def _check_known(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"{where}: there is no {', '.join(unknown)}")


def read_catalogue(path: Path = TABLE) -> Catalogue:
    """Read and check the table.

    Raises      UserError, one line
    """
    return read_toml(path, Catalogue)


def cited(text: str) -> list[str]:
    """The ids that a text cites, in order, defined or not; a range cites its two ends."""
    names = [match["kind"] + number for match in CITATION.finditer(text) for number in (match["first"], match["last"]) if number]
    return [name for name in names if name not in NOT_CITED]


def expand(text: str, known: Iterable[str]) -> set[str]:
    """The ids of `known` that a text cites; a range cites all between."""
    found = set()
    for match in CITATION.finditer(text):
        first, last = int(match["first"]), int(match["last"] or match["first"])
        found |= {f"{match['kind']}{number}" for number in range(first, last + 1)}
    return found & set(known)


# ------------------------------------------------------------------------------------------------------------- derived facts


@dataclass(frozen=True)
class Facts:
    """What guards the invariants, read from where it is.

    sites   for each code of bug(), where it is called: (file, function)
    """

    checkers: Mapping[str, Checker]
    seeded: Sequence[SeededBug]
    models: Mapping[str, Model]
    sites: Mapping[Bug, Sequence[tuple[str, str]]]

    def checkers_of(self, invariant: str) -> list[str]:
        return [name for name, checker in self.checkers.items() if invariant in checker.invariants]

    def codes_of(self, invariant: str) -> list[Bug]:
        return [code for code in Bug if code.invariant == invariant]

    def proofs_of(self, checker: str) -> list[SeededBug]:
        return [bug for bug in self.seeded if checker in bug.story.proves]

    def breaking(self, invariant: str) -> list[str]:
        """The seeded bugs that break an invariant."""
        return [bug.name for bug in self.seeded if invariant in broken_by(bug)]

    def naming(self, real: str, known: Iterable[str]) -> list[str]:
        """The seeded bugs whose stories name a real one."""
        return [bug.name for bug in self.seeded if real in expand(bug.story.recreates, known)]

    def models_citing(self, name: str, known: Iterable[str]) -> list[str]:
        return [model.name for model in self.models.values() if name in expand(model.protocol, known)]


def broken_by(bug: SeededBug) -> set[str]:
    """The invariants that a seeded bug breaks, as its story says."""
    return {word.strip() for word in bug.story.invariant.split(",")}


@cache  # of files, which do not change
def read_facts() -> Facts:
    """Read checkers, seeded bugs, models and assertions.

    Raises      UserError if the seeded bugs did not come with this installation
    """
    return Facts(all_checkers(), seeded_bugs(), known_models(), read_sites(ROOT))


def read_sites(root: Path) -> dict[Bug, list[tuple[str, str]]]:
    """Where each code of bug() is used: (file, function), in the order of files."""
    sites: dict[Bug, list[tuple[str, str]]] = {code: [] for code in Bug}
    for path in sorted(path for folder in ASSERTING for path in (root / folder).rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for code in _codes_used(function):
                    site = (str(path.relative_to(root)), function.name)
                    if site not in sites[code]:
                        sites[code].append(site)
    return sites


def _codes_used(function: ast.FunctionDef) -> Iterator[Bug]:
    """The codes that a function hands to bug()."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "bug" and len(node.args) > 2:
            name = ast.unparse(node.args[2]).removeprefix("BUG_")
            if name in Bug.__members__:
                yield Bug[name]


# ------------------------------------------------------------------------------------------------------------------ the page

_HEAD = """\
# Invariants

What must hold in the modelled machine at every moment, where each rule comes from in Linux, and what notices when it breaks. Made by
`python -m stress.catalogue --write` from `stress/catalogue.toml` (statements, sources, real bugs) and from the checkers, assertions,
seeded bugs and models themselves; `tests/stress/test_catalogue.py` holds this page to them. [protocols.md](protocols.md) describes the
protocols P1 to P21.

Three nets catch what breaks: checkers *at rest*, when all workers are parked between two work batches; assertions *in the act*, `bug()` in
a kernel; and the explorer, which judges every schedule by both and finds races, deadlocks and livelocks besides.

A checker is *proved by* seeded bugs that it must report. *(of I13)* after such a bug means: it breaks I13 and not the invariant of this
section, for which only a corruption made by hand (`tests/stress/checkers`) proves the checker.

[stress/checkers/README.md](../stress/checkers/README.md) has the steps to a new checker. A new invariant or real bug is an entry of
`stress/catalogue.toml`.
"""

_REAL = """\
Races that Linux has had, with the invariants that detect each. The letters are kinds: A speculative reference against free or change of
type, B missing re-check, C migration, D compaction, E isolation and per-CPU lists, F zsmalloc, G policy, H 2024 to 2026. Numbers have gaps:
they are those of a longer list. *Open*: no fix was known when the entry was written. *Read* and *excerpt* say how much of the source was
seen for an H; which invariants detect an H is this project's judgement.

Seeded bugs and models are those that name the entry: some re-create it, some are only related to it, and some entries have none.
"""


def _wrapped(text: str, lead: str = "") -> str:
    return fill(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False, break_on_hyphens=False)


def _item(label: str, text: str) -> list[str]:
    """A point of a list, or nothing."""
    return [_wrapped(f"**{label}.** {text}", "- ")] if text else []


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table whose columns are padded, the last one apart."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(heads) - 1)]
    text = [" | ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]) for line in lines]
    rule = "|".join("-" * (width + 2) for width in [*widths, len(heads[-1])])
    return [f"| {text[0]} |", f"|{rule}|", *(f"| {line} |" for line in text[1:])]


def render(catalogue: Catalogue, facts: Facts) -> str:
    """docs/invariants.md."""
    lines = [_HEAD, "## The invariants", ""]
    lines += _table(("id", "in short"), ((f"[{name}](#{_anchor(name, each)})", each.title) for name, each in catalogue.invariants.items()))
    for name, each in catalogue.invariants.items():
        lines += ["", *_render_invariant(name, each, catalogue, facts)]
    lines += ["", *_render_checkers(facts), "", *_render_assertions(facts), "", "## Real bugs", "", _REAL]
    lines += ["\n\n".join("\n".join(_render_bug(name, bug, catalogue, facts)) for name, bug in catalogue.bugs.items())]
    return "\n".join(lines) + "\n"


def _anchor(name: str, invariant: Invariant) -> str:
    """The anchor that a forge makes of an invariant's heading."""
    return re.sub(r"[^\w -]", "", f"{name} {invariant.title}".lower()).replace(" ", "-")


def _render_invariant(name: str, each: Invariant, catalogue: Catalogue, facts: Facts) -> list[str]:
    checkers, codes = facts.checkers_of(name), facts.codes_of(name)
    lines = [f"### {name} {each.title}", "", _wrapped(each.statement), ""]
    lines += _item("From", "; ".join(each.linux) + ".")
    if each.protocols:
        lines += _item("Protocols", ", ".join(f"{section} {catalogue.protocols[section]}" for section in each.protocols) + ".")
    lines += _item("At rest", each.at_rest)
    for checker in checkers:
        proofs = ", ".join(_proof(bug, name) for bug in facts.proofs_of(checker))
        lines.append(_wrapped(f"`{checker}` (stress/checkers/{checker}.py), proved by {proofs}", "  - "))
    lines += _item("In the act", each.in_act)
    if codes:
        lines.append(_wrapped(_listed(code.name for code in codes), "  - "))
    lines += _item("Not checked directly", each.unchecked)
    lines += _item("Under the scheduler", each.explored)
    lines += _item("Seeded bugs", _listed(facts.breaking(name)))
    lines += _item("Models", _listed(facts.models_citing(name, catalogue.invariants)))
    lines += _item("Left out", each.leaves_out)
    return lines


def _proof(bug: SeededBug, invariant: str) -> str:
    """A seeded bug that proves a checker, and what it breaks if that is another invariant than the one in question."""
    broken = broken_by(bug)
    return f"`{bug.name}`" if invariant in broken else f"`{bug.name}` (of {', '.join(sorted(broken))})"


def _render_checkers(facts: Facts) -> list[str]:
    """Each checker, and the real bug or the function of Linux that its seeded bug stands for."""
    lines = [
        "## Checkers at rest",
        "",
        "One file each in `stress/checkers/`. The last column says what of Linux the seeded bug re-creates.",
        "",
    ]
    rows = (
        (f"`{name}`", " ".join(checker.invariants), f"`{bug.name}`", bug.story.recreates)
        for name, checker in facts.checkers.items()
        for bug in facts.proofs_of(name)
    )
    return lines + _table(("checker", "invariants", "proved by", "Linux origin"), rows)


def _render_assertions(facts: Facts) -> list[str]:
    lines = ["## Assertions in the act", ""]
    lines += [
        "Codes of `bug()`: the invariant, what happened, the two words of the record, their callers, and the seeded bugs that expect them.",
        "",
    ]
    for code in Bug:
        kernels, models = _callers(facts.sites[code])
        lines.append(_wrapped(f"**{code.name}** ({code.invariant}): {code.summary}. Its words: {code.seen}; {code.wanted}.", "- "))
        lines.append(_wrapped(f"called in: {kernels or UNCALLED.get(code, 'models only')}", "  - "))
        if models:
            lines.append(_wrapped(f"models: {models}", "  - "))
        expecting = _listed(bug.name for bug in facts.seeded if f"bug:{code.name}" in bug.story.expect)
        lines.append(_wrapped(f"seeded bugs: {expecting or 'none expects it'}", "  - "))
    return lines


def _callers(sites: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Kernels and roles by file, and models by name."""
    at: dict[str, list[str]] = {}
    models = []
    for path, function in sites:
        if path.startswith(MODELS):
            models.append(Path(path).stem)
        else:
            at.setdefault(path, []).append(f"{function}()")
    return "; ".join(f"{', '.join(functions)} in {path}" for path, functions in at.items()), _listed(dict.fromkeys(models))


def _render_bug(name: str, bug: RealBug, catalogue: Catalogue, facts: Facts) -> list[str]:
    opened = " (open)" if bug.open else ""
    lines = [f"### {name} {bug.subject}{opened}", "", *_item("Commit", bug.commit + ".")]
    lines += _item("Interleaving", bug.interleaving)
    lines += _item("Outcome", bug.outcome + ".")
    lines += _item("Detected by", ", ".join(bug.invariants))
    lines += _item("Note", bug.note)
    lines += _item("Seeded bugs", _listed(facts.naming(name, catalogue.bugs)))
    return lines + _item("Models", _listed(facts.models_citing(name, catalogue.bugs)))


def listing() -> list[str]:
    """The lines of `pfnstorm list invariants`."""
    return columns([(name, each.title) for name, each in read_catalogue().invariants.items()])


def main(words: Sequence[str] | None = None) -> int:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(prog="python -m stress.catalogue", description="Print docs/invariants.md.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)} in place of printing it")
    text = render(read_catalogue(), read_facts())
    if parser.parse_args(words).write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
