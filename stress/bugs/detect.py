"""`pfnstorm bugs --explore`: how soon each strategy finds each seeded bug, under each memory model.

All bugs stand in one copy of the project, as mutants do (woven.py): a function that a patch changes is there twice, and the number that
is alive says which one is called, so each model compiles once. A story says which model finds its bug (`explore`), or why none can
(`explore_not`). A trial is a seed; it ends at the first schedule that any net reports, or at its cap. What does not draw has one trial.
"""

import ast
import os
import select
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from stress.bugs.patches import PatchError, apply_patch, read_patch
from stress.bugs.story import SeededBug
from stress.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_VIOLATED
from stress.io.json_report import write_report
from stress.mutate.operators import ALIVE, add_imports
from stress.mutate.server import Server
from stress.mutate.woven import add_word, copy_project
from stress.process.child import hangup_interrupts
from stress.process.scratch import scratch_folder

SCHEMA = "pfnstorm-detect/1"
MEMORIES = ("sc", "tso", "pso")  # those that every strategy is for
CONTROL, CONTROL_CAP, CONTROL_STRATEGIES = "unchanged", 20_000, ("pos", "pct-3")
_TICK_S = 1.0
_SAID_S = 5.0


@dataclass(frozen=True)
class Options:
    """What a user asked for. `seconds` is for each cell: a bug under one strategy and memory model, all trials together."""

    trials: int
    cap: int
    seconds: float
    jobs: int
    json: Path | None


@dataclass(frozen=True)
class Cell:
    """One bug in its model under one strategy and memory model. `numbers`: the schedule of each trial that found it, None if it did not."""

    bug: str
    model: str
    memory: str
    strategy: str
    numbers: tuple[int | None, ...]
    found: str
    seconds: float

    @property
    def hits(self) -> list[int]:
        return [each for each in self.numbers if each is not None]


@dataclass
class Outcome:
    """What became of one bug."""

    bug: SeededBug
    cells: list[Cell] = field(default_factory=list)
    error: str = ""

    @property
    def found(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.found]


# ------------------------------------------------------------------------------------------------------------- the woven copy


def weave_bugs(folder: Path, bugs: Sequence[SeededBug]) -> dict[str, str]:
    """Copy the project into a new folder with all bugs in it, bug k behind the number k + 1; why some are not in it, by name."""
    copy_project(folder)
    errors: dict[str, str] = {}
    originals: dict[Path, ast.Module] = {}
    for number, bug in enumerate(bugs, 1):
        assert bug.patch is not None
        try:
            _weave_bug(folder, bug.patch, number, originals)
        except PatchError as error:
            errors[bug.name] = str(error)
    for path, tree in originals.items():
        add_imports(tree)
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)) + "\n", encoding="utf-8")
    add_word(folder)
    return errors


def _weave_bug(folder: Path, patch: Path, number: int, trees: dict[Path, ast.Module]) -> None:
    files = {path.path: (folder / path.path).read_text(encoding="utf-8") for path in read_patch(patch)}
    try:
        apply_patch(patch, folder)
        patched = {name: ast.parse((folder / name).read_text(encoding="utf-8")) for name in files}
    finally:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    pairs = {name: (ast.parse(files[name]), tree) for name, tree in patched.items()}
    differs = {name: _differing(patch, *pair) for name, pair in pairs.items()}
    if not any(_is_handed_the_machine(*_both(pairs[name], each)) for name, names in differs.items() for each in names):
        raise PatchError(f"{patch}: it changes no function that is handed the machine, and as before, so it cannot be woven")
    renamed = {each: f"{each}_of_bug_{number}" for names in differs.values() for each in names}
    for name, (before, after) in pairs.items():
        tree = trees.setdefault(folder / name, ast.parse(files[name]))
        weave_functions(tree, before, after, number, renamed)
        for other in differs.keys() - {name}:
            wanted = [ast.alias(renamed[each]) for each in sorted(differs[other]) if f"'{each}'" in ast.dump(after)]
            if wanted:
                place = next(k for k, node in enumerate(tree.body) if isinstance(node, (ast.Import, ast.ImportFrom)))
                tree.body.insert(place, ast.ImportFrom(other.removesuffix(".py").replace("/", "."), wanted, 0))


def _by_name(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _both(pair: tuple[ast.Module, ast.Module], name: str) -> tuple[ast.FunctionDef | None, ast.FunctionDef]:
    return _by_name(pair[0]).get(name), _by_name(pair[1])[name]


def _differing(patch: Path, before: ast.Module, after: ast.Module) -> set[str]:
    """The functions that a patch changes or adds in a file.

    Raises      PatchError if it changes more than functions and imports
    """
    rest = [
        [ast.dump(node) for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.Import, ast.ImportFrom))]
        for tree in (before, after)
    ]
    if rest[0] != rest[1]:
        raise PatchError(f"{patch}: it changes more than functions, so it cannot be woven")
    old = {name: ast.dump(function) for name, function in _by_name(before).items()}
    return {name for name, function in _by_name(after).items() if old.get(name) != ast.dump(function)}


def _is_handed_the_machine(before: ast.FunctionDef | None, after: ast.FunctionDef) -> bool:
    return (
        before is not None and bool(after.args.args) and after.args.args[0].arg == "mem" and ast.dump(before.args) == ast.dump(after.args)
    )


class _Rename(ast.NodeTransformer):
    """Calls between functions that a patch changes stay among them."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._names.get(node.id, node.id)
        return node


def weave_functions(tree: ast.Module, before: ast.Module, after: ast.Module, number: int, renamed: dict[str, str]) -> None:
    """Add the functions that differ to a tree, and calls of them where the number that is alive is theirs."""
    old, new = _by_name(before), _by_name(after)
    known = {ast.dump(node) for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))}
    place = next(k for k, node in enumerate(tree.body) if isinstance(node, (ast.Import, ast.ImportFrom)))
    for node in after.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and ast.dump(node) not in known:
            tree.body.insert(place, node)
    rename = _Rename(renamed)
    for name in [name for name in new if name in renamed]:
        function = rename.visit(new[name])
        at = _index_of(tree, name if name in old else next(iter(old)))
        original = tree.body[at]
        assert isinstance(original, ast.FunctionDef)
        if _is_handed_the_machine(old.get(name), function):
            original.body.insert(int(ast.get_docstring(original) is not None), _call_instead(function, number))
        tree.body.insert(at, function)
        function.name = renamed[name]


def _call_instead(function: ast.FunctionDef, number: int) -> ast.stmt:
    """Hand on to a function of a bug if that is alive."""
    arguments = ", ".join(each.arg for each in function.args.args)
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function))
    called = f"{function.name}_of_bug_{number}({arguments})"
    call = f"return {called}" if returns else f"{called}\n    return"
    return ast.parse(f"if {ALIVE}(mem, {number}):\n    {call}").body[0]


def _index_of(tree: ast.Module, name: str) -> int:
    return next(k for k, node in enumerate(tree.body) if isinstance(node, ast.FunctionDef) and node.name == name)


# ------------------------------------------------------------------------------------------------------------------- running


def control_requests(cap: int, seconds: float) -> list[dict[str, Any]]:
    """The kernels as they are, under each memory model: what is found there is no bug of a story, and the model proves nothing."""
    return [
        {"mutant": 0, "memory": memory, "strategy": strategy, "trials": 1, "cap": min(cap, CONTROL_CAP), "seconds": seconds}
        for memory in MEMORIES
        for strategy in CONTROL_STRATEGIES
    ]


def requests_for(number: int, options: Options) -> list[dict[str, Any]]:
    """Every cell of one bug, as its model's server is asked."""
    from stress.explore.strategies import CHOOSABLE, NAMED, STRATEGIES

    found = []
    for memory in MEMORIES:
        for strategy in CHOOSABLE:
            trials = 1 if STRATEGIES[NAMED[strategy][0]].exhaustive else options.trials
            cell = {"memory": memory, "strategy": strategy, "trials": trials, "cap": options.cap, "seconds": options.seconds}
            found.append({"mutant": number, **cell})
    return found


def run_detection(bugs: Sequence[SeededBug], options: Options, out: TextIO) -> tuple[list[Outcome], list[Cell], int]:
    """Explore every bug that a model can find; the outcomes so far, false alarms, and the exit status if it was interrupted."""
    alarms: list[Cell] = []
    outcomes = {bug.name: Outcome(bug) for bug in bugs}
    chosen = [bug for bug in bugs if bug.story.explore]
    status = EXIT_CLEAN
    try:
        with hangup_interrupts(), scratch_folder("pfnstorm-detect-") as scratch:
            folder = scratch / "woven"
            for bug_name, error in weave_bugs(folder, chosen).items():
                outcomes[bug_name].error = error
            jobs: dict[str, list[dict[str, Any]]] = {}
            for number, bug in enumerate(chosen, 1):
                if not outcomes[bug.name].error:
                    mine = jobs.setdefault(bug.story.explore, control_requests(options.cap, options.seconds))
                    mine.extend(requests_for(number, options))
            for cell in _ask_all(jobs, chosen, options, folder, out):
                if cell.bug != CONTROL:
                    outcomes[cell.bug].cells.append(cell)
                elif cell.found:
                    alarms.append(cell)
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    return list(outcomes.values()), alarms, status


def _ask_all(
    jobs: dict[str, list[dict[str, Any]]],
    bugs: Sequence[SeededBug],
    options: Options,
    folder: Path,
    out: TextIO,
) -> Iterator[Cell]:
    """Ask one server a model, `jobs` of them at a time; each answer as soon as it is there."""
    waiting, busy = list(jobs), list[Server]()
    total, done, start, said = sum(map(len, jobs.values())), 0, time.monotonic(), 0.0
    try:
        while waiting or busy:
            while waiting and len(busy) < options.jobs:
                model = waiting.pop(0)
                server = Server(("detect", model), folder)
                server.ask(jobs[model][0])
                busy.append(server)
            if time.monotonic() - said > _SAID_S:
                said = time.monotonic()
                print(
                    f"{said - start:6.0f} s: {done} of {total} cells; {', '.join(server.words[1] for server in busy)}", file=out, flush=True
                )
            for server in select.select(busy, [], [], _TICK_S)[0]:
                model, answer = server.words[1], server.read_answer()
                request = jobs[model].pop(0)
                name = bugs[request["mutant"] - 1].name if request["mutant"] else CONTROL
                numbers = tuple(answer["numbers"])
                yield Cell(name, model, request["memory"], request["strategy"], numbers, answer["found"], answer["seconds"])
                done += 1
                if jobs[model]:
                    server.ask(jobs[model][0])
                else:
                    server.stop()
                    busy.remove(server)
    finally:
        for server in busy:
            server.stop()


# ------------------------------------------------------------------------------------------------------------------ reporting


def execute(bugs: Sequence[SeededBug], options: Options, out: TextIO = sys.stderr) -> int:
    """Explore, print the table, write the JSON; returns the exit code: 1 if a bug that a model finds was found by no strategy."""
    os.environ["PFNSTORM_FLAVOUR"] = "explored"
    outcomes, alarms, status = run_detection(bugs, options, out)
    said = [f"FALSE ALARM of {each.model}, {each.memory} {each.strategy}: {each.found} in the kernels as they are" for each in alarms]
    print("\n".join([*said, *table_of(outcomes)]), flush=True)
    table = [
        {
            "name": each.bug.name,
            "model": each.bug.story.explore,
            "explore_not": each.bug.story.explore_not,
            "error": each.error,
            "cells": [asdict(cell) for cell in each.cells],
        }
        for each in outcomes
    ]
    written = {
        "schema": SCHEMA,
        "trials": options.trials,
        "cap": options.cap,
        "seconds": options.seconds,
        "bugs": table,
        "false_alarms": [asdict(each) for each in alarms],
    }
    unwritten = write_report(options.json, written)
    missed = any(each.error or (each.cells and not each.found) for each in outcomes)
    return status or (EXIT_VIOLATED if missed or alarms else unwritten)


def table_of(outcomes: Sequence[Outcome]) -> list[str]:
    """A block for each memory model, a line for each bug, for each strategy the median first schedule, and the share if not all."""
    lines: list[str] = []
    cells = [cell for each in outcomes for cell in each.cells]
    memories = list(dict.fromkeys(cell.memory for cell in cells))
    strategies = list(dict.fromkeys(cell.strategy for cell in cells))
    width = max((len(each.bug.name) for each in outcomes), default=3)
    if cells:
        lines.append("schedules to first detection: the median of the trials that found it (share of the trials); - none did")
    for memory in memories:
        lines.append(f"{memory.ljust(width)}  {'  '.join(strategy.rjust(13) for strategy in strategies)}")
        for each in outcomes:
            of_bug = {cell.strategy: cell for cell in each.cells if cell.memory == memory}
            if of_bug:
                lines.append(f"{each.bug.name.ljust(width)}  {'  '.join(_shown(of_bug.get(name)).rjust(13) for name in strategies)}")
    lines += _only(outcomes)
    for each in outcomes:
        if each.error:
            lines.append(f"{each.bug.name}: {each.error}")
        elif each.bug.story.explore_not:
            lines.append(f"{each.bug.name}: not by exploring: {each.bug.story.explore_not}")
    return lines


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if not cell.hits:
        return cell.found or "-"
    share = "" if len(cell.hits) == len(cell.numbers) else f" ({len(cell.hits)}/{len(cell.numbers)})"
    return f"{median(cell.hits):,.0f}{share}"


def _only(outcomes: Sequence[Outcome]) -> list[str]:
    """What only one memory model, or one strategy, finds; what nothing found."""
    lines = []
    for each in outcomes:
        if not each.cells:
            continue
        memories = {cell.memory for cell in each.found}
        strategies = {cell.strategy for cell in each.found}
        if not each.found:
            lines.append(f"{each.bug.name}: found by NO strategy in {each.bug.story.explore}")
        elif "sc" not in memories:
            lines.append(f"{each.bug.name}: only under {' and '.join(sorted(memories))}")
        if len(strategies) == 1:
            lines.append(f"{each.bug.name}: only by {strategies.pop()}")
    return lines
