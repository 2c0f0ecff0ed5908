"""The rules of the house about the whole repository: layers, circles, one line for each module, no dead names, tests that mirror.

Each rule is a function from a `House` (the sources of a repository, by path) to complaints, and has a specimen that breaks it.
"""

import ast
import re
import tomllib
from collections import Counter, defaultdict
from functools import cached_property
from pathlib import Path

import pytest

from kernels.base.cache import SCAN_MARK
from kernels.base.jit import DECORATORS

ROOT = Path(__file__).resolve().parents[1]
#: the rooms of stress/, bottom up: each imports those before it
ROOMS = (
    *("errors", "registry", "io", "process", "machine", "checkers", "roles", "storm", "snapshot", "run", "explore", "litmus"),
    *("measure", "predict", "compare", "history", "mutate", "bugs", "catalogue", "benchmarks", "choices", "cli", "__main__"),
)
#: folders of records that `pfnstorm explore --list` shows, a line each
LISTED_BY_COMMAND = ("stress/explore/models", "stress/explore/strategies")
LAYERS = ("base", "page", "alloc", "map", "types", "migrate", "policy")


class House:
    """The Python sources of kernels/ and stress/, and every other text that may mention them, by path from the root."""

    def __init__(self, texts):
        self.texts = texts

    @cached_property
    def trees(self):
        return {path: ast.parse(text) for path, text in self.texts.items() if path.endswith(".py")}

    @cached_property
    def modules(self):
        """Dotted name -> path, of kernels/ and stress/."""
        return {dotted(path): path for path in self.trees if path.startswith(("kernels/", "stress/"))}

    def imports(self, path):
        """(line, dotted module of this repository) of every import in a file, late ones too."""
        for node in ast.walk(self.trees[path]):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                whole = node.module or ""
                if node.level:
                    whole = ".".join(filter(None, (dotted(path).rpartition(".")[0], whole)))
                names = [whole, *(f"{whole}.{alias.name}" for alias in node.names)]
            yield from ((node.lineno, name) for name in names if name in self.modules)


def dotted(path):
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def documentation(tree):
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, holders) and node.body]
    return {id(body[0].value) for body in bodies if isinstance(body[0], ast.Expr)}


# ------------------------------------------------------------------------------------------------------------------- rules


def room_of(name):
    return name.split(".")[1] if name.startswith("stress.") else None


def rooms_import_downwards(house):
    """A room of stress/ imports only rooms below it; every room has its place in the order."""
    for name, path in house.modules.items():
        room = room_of(name)
        if room is None:
            continue
        if room not in ROOMS:
            yield f"{path}: {room} is no room of ROOMS"
            continue
        for line, other in house.imports(path):
            above = room_of(other)
            if above in ROOMS and ROOMS.index(above) > ROOMS.index(room):
                yield f"{path}:{line}: {room} imports {other}, which is above it"


def rooms_name_nothing_above(house):
    """No string of a room names a module of a room above it."""
    for name, path in house.modules.items():
        room = room_of(name)
        if room not in ROOMS:
            continue
        prose = documentation(house.trees[path])
        for node in ast.walk(house.trees[path]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
                for above in re.findall(r"\bstress\.(\w+)", node.value):
                    if above in ROOMS and ROOMS.index(above) > ROOMS.index(room):
                        yield f"{path}:{node.lineno}: the string {node.value!r}"


def no_circles(house):
    """No module reaches itself by imports, late ones included. A package and its own modules count as one for `registry.scan`."""
    edges = {name: {other for _, other in house.imports(path) if other != name} for name, path in house.modules.items()}
    state, stack = {}, []

    def visit(name):
        state[name] = "open"
        stack.append(name)
        for other in sorted(edges[name]):
            if state.get(other) == "open":
                yield " -> ".join([*stack[stack.index(other) :], other])
            elif other not in state:
                yield from visit(other)
        stack.pop()
        state[name] = "closed"

    for name in sorted(edges):
        if name not in state:
            yield from visit(name)


def every_module_has_its_line(house):
    """Each module has a line in the README of its folder, and each line there has a module."""
    folders = defaultdict(set)
    for path in house.modules.values():
        folder, _, file = path.rpartition("/")
        if file not in ("__init__.py", "__main__.py"):
            folders[folder].add(file.removesuffix(".py"))
    for folder, stems in sorted(folders.items()):
        text = house.texts.get(f"{folder}/README.md")
        if text is None:
            if not folder.startswith(LISTED_BY_COMMAND):
                yield f"{folder}/README.md: there is none"
            continue
        named = set()
        for line in text.splitlines():
            if match := re.match(r"\| *(`.*?) *\|", line):
                named |= {each.removesuffix(".py") for each in re.findall(r"`([\w.]+)`", match[1])}
        yield from (f"{folder}/README.md: no line for {stem}" for stem in sorted(stems - named))


def names_are_used(house):
    """Every function, class and constant at the top of a module is used somewhere: dead ones are deleted."""
    words = Counter()
    for text in house.texts.values():
        words.update(re.findall(r"[A-Za-z_]\w*", text))
    for path in house.modules.values():
        for node in house.trees[path].body:
            names = []
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names = [node.name]
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
            for name in names:
                if words[name] == 1 and not is_found_otherwise(name, node, path):
                    yield f"{path}:{node.lineno}: {name} is used nowhere"


def is_found_otherwise(name, node, path):
    """Records are found by their type, asv's classes by its scan, numba's extensions by their decorators; orderings are one family."""
    if isinstance(node, ast.Assign) and (isinstance(node.value, ast.Call) or name == SCAN_MARK):
        return True
    family = re.search(r"_(relaxed|acquire|release|acq_rel|seq_cst)$", name) and path == "kernels/base/atomics.py"
    return family or "/benchmarks/" in path or bool(getattr(node, "decorator_list", ()))


def files_are_used(house):
    """Every module is imported, found by scanning, or started as a program."""
    imported = {name for path in house.trees for _, name in house.imports(path)}
    texts = "\n".join(house.texts.values())
    for name, path in house.modules.items():
        if path.endswith(("__init__.py", "__main__.py")) or name in imported:
            continue
        package = house.texts.get(str(Path(path).parent / "__init__.py"), "")
        scanned = "registry.scan(" in package or "scan(" in house.texts.get(str(Path(path).parents[1] / "__init__.py"), "")
        if not scanned and "/benchmarks/" not in path and not re.search(rf"\b{re.escape(name)}\b", texts):
            yield f"{path}: no module imports it, and no command starts it"


def class_names_are_unique(house):
    """No two public classes of stress/ share a name: one word for one thing."""
    found = defaultdict(list)
    for path in house.modules.values():
        if path.startswith("stress/"):
            for node in house.trees[path].body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(path)
    yield from (f"class {name} is in {', '.join(paths)}" for name, paths in sorted(found.items()) if len(paths) > 1)


def exempt_modules_are_kernels(house):
    """mypy passes over modules of kernels only: in those that pyproject.toml exempts, each function is a kernel or part of one."""
    overrides = tomllib.loads(house.texts["pyproject.toml"])["tool"]["mypy"]["overrides"]
    exempt = [name for each in overrides if each.get("ignore_errors") for name in each["module"] if name.startswith("stress.")]
    for pattern in exempt:
        matching = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        for name, path in house.modules.items():
            if matching.fullmatch(name):
                for node in house.trees[path].body:
                    if isinstance(node, ast.FunctionDef) and not is_kernel(node) and not node.name.startswith("_"):
                        yield f"{path}:{node.lineno}: {node.name}() is no kernel, and mypy passes over it"


def is_kernel(function):
    return any(ast.unparse(each).split(".")[-1].split("(")[0] in DECORATORS for each in function.decorator_list)


def scanned_packages_say_so(house):
    """A package of kernels that scans itself when it is imported says so for the cache of compiled code."""
    for name, path in house.modules.items():
        text = house.texts[path]
        scans = path.endswith("__init__.py") and re.search(r"^[A-Z_]+.* = .*registry\.scan\(", text, re.MULTILINE)
        if scans and "kernels.base" in text and not re.search(rf"^{SCAN_MARK} = True", text, re.MULTILINE):
            yield f"{path}: {name} scans itself and does not assign {SCAN_MARK}"


# ------------------------------------------------------------------------------------------------------------ the specimens

PYPROJECT = '[[tool.mypy.overrides]]\nmodule = ["stress.roles.*"]\nignore_errors = true\n'
#: rule, and the texts of a repository that breaks it
SPECIMENS = [
    (rooms_import_downwards, {"stress/io/a.py": "from stress.run import b", "stress/run/b.py": ""}),
    (rooms_import_downwards, {"stress/io/a.py": "def f():\n    import stress.run.b", "stress/run/b.py": ""}),
    (rooms_import_downwards, {"stress/cellar/a.py": ""}),
    (rooms_name_nothing_above, {"stress/process/a.py": "MODULES = ('kernels', 'stress.roles')", "stress/roles/__init__.py": ""}),
    (no_circles, {"stress/io/a.py": "from stress.io import b", "stress/io/b.py": "def f():\n    from stress.io import a"}),
    (no_circles, {"kernels/base/a.py": "import kernels.base.b", "kernels/base/b.py": "from . import a"}),
    (every_module_has_its_line, {"stress/io/a.py": "", "stress/io/b.py": "", "stress/io/README.md": "| `a` | a thing |"}),
    (every_module_has_its_line, {"stress/io/a.py": ""}),
    (names_are_used, {"kernels/base/a.py": "def forgotten(mem): pass"}),
    (names_are_used, {"stress/io/a.py": "FORGOTTEN = 3"}),
    (files_are_used, {"stress/io/a.py": ""}),
    (class_names_are_unique, {"stress/io/a.py": "class Outcome: pass", "stress/run/b.py": "class Outcome: pass"}),
    (exempt_modules_are_kernels, {"pyproject.toml": PYPROJECT, "stress/roles/a.py": "def f(): pass"}),
    (scanned_packages_say_so, {"stress/roles/__init__.py": "from kernels.base import jit\nROLES = registry.scan(1, 2)\n"}),
]
RULES = tuple(dict.fromkeys(rule for rule, _ in SPECIMENS))


@pytest.fixture(scope="module")
def house():
    texts = {}
    for folder in ("kernels", "stress", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".md", ".toml") and "__pycache__" not in path.parts and path != Path(__file__):
                texts[str(path.relative_to(ROOT))] = path.read_text()
    for name in ("pyproject.toml", "Makefile", "README.md", "asv.conf.json", "pfnstorm.py"):
        texts[name] = (ROOT / name).read_text()
    return House(texts)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule, house):
    found = list(rule(house))
    assert not found, f"{rule.__doc__}\n  " + "\n  ".join(found)


@pytest.mark.parametrize(("rule", "texts"), SPECIMENS, ids=lambda each: getattr(each, "__name__", ""))
def test_rule_sees_its_specimen(rule, texts):
    assert list(rule(House(texts))), f"{rule.__name__} no longer finds anything"


def test_every_package_of_kernels_is_a_layer():
    assert {path.name for path in (ROOT / "kernels").iterdir() if path.is_dir() and path.name != "__pycache__"} == set(LAYERS)
