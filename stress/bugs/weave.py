"""All seeded bugs in one copy of the project, as mutants are, so that each model compiles once.

A function that a patch changes is in the copy twice: as it is, and as the patch leaves it. The number that is alive selects one.
"""

import ast
from collections.abc import Sequence
from pathlib import Path

from stress.bugs.patches import PatchError, apply_patch, read_patch
from stress.bugs.story import SeededBug
from stress.mutate.alive import ALIVE
from stress.mutate.operators import add_imports
from stress.mutate.woven import add_word, copy_project


def weave_bugs(folder: Path, bugs: Sequence[SeededBug]) -> dict[str, str]:
    """Copy the project into a new folder and weave the bugs in: bug k of the sequence, from 1, has the number k.

    Returns     by name, why bugs were left out
    """
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
    if not any(_takes_the_machine(*_both(pairs[name], each)) for name, names in differs.items() for each in names):
        raise PatchError(f"{patch}: it changes no function that takes the machine and keeps its parameters, so it cannot be woven")
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


def _takes_the_machine(before: ast.FunctionDef | None, after: ast.FunctionDef) -> bool:
    """Whether a patched function takes the machine first, and the same parameters as before."""
    return (
        before is not None and bool(after.args.args) and after.args.args[0].arg == "mem" and ast.dump(before.args) == ast.dump(after.args)
    )


class _Rename(ast.NodeTransformer):
    """Makes calls between the functions of a patch call the patched ones."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._names.get(node.id, node.id)
        return node


def weave_functions(tree: ast.Module, before: ast.Module, after: ast.Module, number: int, renamed: dict[str, str]) -> None:
    """Add the functions that differ to a tree, and to each original a call of its patched form if `number` is alive."""
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
        if _takes_the_machine(old.get(name), function):
            original.body.insert(int(ast.get_docstring(original) is not None), _call_instead(function, number))
        tree.body.insert(at, function)
        function.name = renamed[name]


def _call_instead(function: ast.FunctionDef, number: int) -> ast.stmt:
    """The statement that calls the patched form instead, if `number` is alive."""
    arguments = ", ".join(each.arg for each in function.args.args)
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function))
    called = f"{function.name}_of_bug_{number}({arguments})"
    call = f"return {called}" if returns else f"{called}\n    return"
    return ast.parse(f"if {ALIVE}(mem, {number}):\n    {call}").body[0]


def _index_of(tree: ast.Module, name: str) -> int:
    return next(k for k, node in enumerate(tree.body) if isinstance(node, ast.FunctionDef) and node.name == name)
