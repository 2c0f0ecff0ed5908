"""Which kernels a model can reach: the closure of calls from its three kernels, read from the syntax trees.

Nothing is run or compiled. Every use of a name counts as a call, so that callbacks are reached, too.
"""

import ast
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
MODELS = _ROOT / "stress" / "explore" / "models"

Place = tuple[str, str]  # file under the project, function


class _Module:
    """The functions of one file, what each uses, and where imported names come from."""

    def __init__(self, path: Path) -> None:
        tree = ast.parse(path.read_bytes())
        self.path = str(path.relative_to(_ROOT))
        self.uses: dict[str, set[str]] = {}
        self.imported: dict[str, Path] = {}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                self.uses[node.name] = _names(node)
            elif isinstance(node, ast.Assign):  # a kernel under another name, a record of callbacks
                for target in node.targets:
                    for name in _names(target):
                        self.uses.setdefault(name, set()).update(_names(node.value))
        for each in ast.walk(tree):
            if isinstance(each, ast.ImportFrom) and each.module and each.module.split(".")[0] in ("kernels", "stress"):
                source = _ROOT.joinpath(*each.module.split(".")).with_suffix(".py")
                if source.is_file():
                    self.imported.update((alias.asname or alias.name, source) for alias in each.names)


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


@cache
def _module(path: Path) -> _Module:
    return _Module(path)


@cache
def reached_from(path: Path, roots: tuple[str, ...]) -> frozenset[Place]:
    """Every function that can be reached from some functions of a file, these included."""
    todo, seen = [(path, name) for name in roots], set()
    while todo:
        at, name = todo.pop()
        module = _module(at)
        if name in module.imported:
            todo.append((module.imported[name], name))
        elif name in module.uses and (module.path, name) not in seen:
            seen.add((module.path, name))
            todo += [(at, used) for used in module.uses[name]]
    return frozenset(seen)


@cache
def reached_by(model: str) -> frozenset[Place]:
    """The kernels that a model, by its name, can reach."""
    (path,) = MODELS.glob(f"*/{model.replace('-', '_')}.py")
    return frozenset(place for place in reached_from(path, ("MODEL",)) if place[0].startswith("kernels/"))
