"""The rules of the house for one file, held by walking its syntax tree. Each rule is a function from a source to complaints.

Every rule has a specimen: a few lines that break it, so that a rule that no longer finds anything is noticed. The rules about the whole
repository (layers, circles, rooms) are in test_house_rooms.py.
"""

import ast
import re
import subprocess
from functools import cached_property
from pathlib import Path

import pytest

from kernels.base.jit import DECORATORS as DECORATOR_NAMES
from stress import registry

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("base", "page", "alloc", "map", "types", "migrate", "policy")
KERNEL_FILES = sorted((ROOT / "kernels").rglob("*.py"))
ROLE_FILES = sorted((ROOT / "stress" / "roles").glob("*.py"))
STRESS_FILES = sorted((ROOT / "stress").rglob("*.py"))
COMMAND_FILES = sorted((ROOT / "stress").glob("*/command.py"))
DOUBTERS = sorted([*(ROOT / "stress" / "checkers").glob("*.py"), *(ROOT / "tests" / "reference").glob("*.py")])
ORDERINGS = ("acquire", "release", "acq_rel", "seq_cst")
STRONG = re.compile(rf"^(load|store|cas|exchange|fetch_(add|or|and))_({'|'.join(ORDERINGS)})$|^fence_")
COMPILED_FILES = [*KERNEL_FILES, *ROLE_FILES]
PRODUCT_FILES = [*KERNEL_FILES, *STRESS_FILES]
TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))
STRESS_DATA = sorted(path for kind in ("json", "toml") for path in (ROOT / "stress").rglob(f"*.{kind}"))
TEXTS = [*PRODUCT_FILES, *STRESS_DATA, *(path for path in TEST_FILES if path != Path(__file__))]
DECORATORS = {*DECORATOR_NAMES, *(f"jit.{name}" for name in DECORATOR_NAMES)}
USERS_OF_NUMBA = tuple(f"kernels/base/{name}.py" for name in ("atomics", "memory", "points", "flavour", "pipeline", "cache", "jit", "site"))
MAX_BODY_LINES, MAX_FUNCTION_LINES, MAX_FILE_LINES = 60, 70, 500
ORDER_REACH = 3  # lines between an `# ORDER:` comment and the access that it explains


class Source:
    """One file as the rules see it."""

    def __init__(self, path, text=None):
        self.path = path
        self.text = path.read_text() if text is None else text
        self.lines = self.text.splitlines()

    @cached_property
    def tree(self):
        return ast.parse(self.text)

    @property
    def where(self):
        return str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else str(self.path)

    @property
    def layer(self):
        parts = self.path.relative_to(ROOT / "kernels").parts
        return parts[0] if len(parts) > 1 else None

    def functions(self):
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]

    def kernels(self):
        return [f for f in self.functions() if any(ast.unparse(d) in DECORATORS for d in f.decorator_list)]


def imported(source):
    """(line, dotted module) of every import, `from x import y` as x and as x.y."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
            if node.module in ("kernels", "kernels.base", "stress", "tests", "tests.reference"):
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def called(node):
    return node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""


# ------------------------------------------------------------------------------------------------------------------- rules


def imports_go_down(source):
    """Inside kernels/ imports go only downwards, and never to stress or tests."""
    for line, name in imported(source):
        parts = name.split(".")
        if parts[0] in ("stress", "tests"):
            yield line, f"kernels import {name}"
        elif name.startswith("."):
            yield line, "relative import"
        elif parts[0] == "kernels" and len(parts) > 1 and source.layer and LAYERS.index(parts[1]) > LAYERS.index(source.layer):
            yield line, f"{source.layer} imports {name}, which is above it"


def doubters_know_the_layout_only(source):
    """Checkers and oracles import only kernels.base.layout of the kernels."""
    for line, name in imported(source):
        if name.split(".")[0] == "kernels" and name not in ("kernels.base.layout", "kernels.base"):
            yield line, f"imports {name}: what doubts the kernels must not share their code"
        elif name in ("numba", "stress.roles"):
            yield line, f"imports {name}"


def llvm_stays_in_base(source):
    """llvmlite, @intrinsic and numba's extension interface are used by a few files of base alone (flavour.py names them)."""
    if source.where in USERS_OF_NUMBA:
        return
    for line, name in imported(source):
        if name.split(".")[0] in ("llvmlite", "numba"):
            yield line, f"imports {name}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id in ("intrinsic", "overload", "njit"):
            yield node.lineno, node.id


def flavour_names_its_users(source):
    """A module of stress/ that depends on numba's own interfaces is named in the head of kernels/base/flavour.py."""
    named = ast.get_docstring(ast.parse((ROOT / "kernels" / "base" / "flavour.py").read_text())) or ""
    for line, name in imported(source):
        if name.split(".")[0] in ("llvmlite", "numba") and source.where.removeprefix("stress/") not in named:
            yield line, f"imports {name}, and kernels/base/flavour.py does not say so"


def orderings_stay_in_atomics(source):
    """The words that name an ordering to LLVM occur in atomics.py alone."""
    if source.where == "kernels/base/atomics.py":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and node.value in ("monotonic", "acquire", "release", "acq_rel", "seq_cst"):
            yield node.lineno, f"the ordering {node.value!r}"


def strong_accesses_are_argued(source):
    """Every access that is stronger than relaxed has an `# ORDER:` comment with a reason at it or just above it."""
    if source.where == "kernels/base/atomics.py":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and STRONG.match(called(node)):
            above = source.lines[max(0, node.lineno - 1 - ORDER_REACH) : node.end_lineno]
            if not any(re.search(r"# ORDER: \S+ *\S+", line) for line in above):
                yield node.lineno, f"{called(node)} without an # ORDER: comment"


def shared_arrays_are_indexed(source):
    """Kernels touch shared arrays by plain indexing or through atomics: no slices, no numpy, no methods."""
    for kernel in source.kernels():
        for node in ast.walk(kernel):
            if isinstance(node, ast.Slice):
                yield node.lineno, f"{kernel.name} slices"
            if isinstance(node, ast.Name) and node.id in ("np", "numpy"):
                yield node.lineno, f"{kernel.name} uses numpy"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not is_module_call(node):
                yield node.lineno, f"{kernel.name} calls the method {node.func.attr}"
            if isinstance(
                node, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.Raise, ast.Try, ast.With, ast.Yield, ast.Assert)
            ):
                yield node.lineno, f"{kernel.name} has a {type(node).__name__}: kernels do not allocate, raise or print"
            if isinstance(node, ast.Call) and called(node) in ("print", "len", "sum", "list", "sorted", "float"):
                yield node.lineno, f"{kernel.name} calls {called(node)}()"


def is_module_call(node):
    return isinstance(node.func.value, ast.Name) and node.func.value.id in ("counter", "at")


def one_decorator(source):
    """A kernel is declared by @kernel or @entry and nothing else; njit is not called."""
    if source.where == "kernels/base/jit.py":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and ast.unparse(node).split(".")[-1] in (
            "njit",
            "vectorize",
            "guvectorize",
            "cfunc",
        ):
            yield node.lineno, ast.unparse(node)
    for kernel in source.kernels():
        if len(kernel.decorator_list) > 1:
            yield kernel.lineno, f"{kernel.name} has {len(kernel.decorator_list)} decorators"


def kernels_say_what_they_are(source):
    """A kernel's docstring has a summary in one line and Progress, and Returns where it returns a value."""
    for kernel in source.kernels():
        doc = ast.get_docstring(kernel) or ""
        summary = doc.partition("\n")[0]
        if not summary.endswith((".", ":", "?")) or " " not in summary:
            yield kernel.lineno, f"{kernel.name}: the docstring does not begin with a sentence"
        if not re.search(r"^Progress +\S", doc, re.MULTILINE):
            yield kernel.lineno, f"{kernel.name}: no Progress in the docstring"
        if returns_a_value(kernel) and not re.search(r"^Returns +\S", doc, re.MULTILINE) and not says_what_it_is(summary):
            yield kernel.lineno, f"{kernel.name}: no Returns in the docstring, and the summary does not name the value"


def returns_a_value(function):
    return any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function))


def says_what_it_is(summary):
    """A summary that is itself the value ("The node of a frame.") or asks for it ("Whether ...")."""
    first = summary.split(" ")[0]
    return first in ("The", "A", "An", "What", "Whether", "Frames", "References", "One", "How")


def parameters_are_kernels_parameters(source):
    """A kernel takes mem first and cpu second if it takes them, has no defaults, and names its parameters with their unit."""
    for kernel in source.kernels():
        names = [arg.arg for arg in kernel.args.args]
        if "mem" in names[1:] or ("mem" in names and "cpu" in names[2:]):
            yield kernel.lineno, f"{kernel.name}{tuple(names)}: mem comes first, then cpu"
        if kernel.args.defaults or kernel.args.kwonlyargs or kernel.args.vararg or kernel.args.kwarg:
            yield kernel.lineno, f"{kernel.name} has defaults or variable arguments"
        unclear = [name for name in names if name in ("n", "idx", "size", "num", "i", "p", "x")]
        if unclear:
            yield kernel.lineno, f"{kernel.name}: what is {unclear[0]}? names carry their unit"


def modules_say_what_they_are(source):
    """A module of kernels begins with a docstring; from page upwards it says what it models, and its invariants or protocol."""
    doc = ast.get_docstring(source.tree)
    if not doc:
        yield 1, "no module docstring"
    elif source.path.name != "__init__.py" and source.layer not in (None, "base"):
        if not re.search(r"^Models +\S", doc, re.MULTILINE) and "shadow" not in source.path.name:
            yield 1, "the module docstring has no Models"
        needs_more = source.path.name not in ("boot.py",)
        if needs_more and not re.search(r"^(Invariants|Protocol) +\S", doc, re.MULTILINE):
            yield 1, "the module docstring has neither Invariants nor Protocol"


def sizes_are_bounded(source):
    """A kernel's body is at most 60 lines, any function 70, a file 500."""
    if len(source.lines) > MAX_FILE_LINES:
        yield 1, f"{len(source.lines)} lines"
    for kernel in source.kernels():
        body = kernel.body[1:] or kernel.body
        length = body[-1].end_lineno - body[0].lineno + 1
        if length > MAX_BODY_LINES:
            yield kernel.lineno, f"{kernel.name} has a body of {length} lines"
    for function in source.functions():
        length = function.end_lineno - function.lineno + 1
        if length > MAX_FUNCTION_LINES:
            yield function.lineno, f"{function.name} is {length} lines long"


def is_docstring(tree):
    """The docstring nodes of a tree."""
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, holders) and node.body]
    return {id(body[0].value) for body in bodies if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)}


def kernels_name_nothing_above(source):
    """No string of kernels/ names a module of stress/: knowledge looks downwards, too."""
    documentation = is_docstring(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation and "stress" in node.value:
            yield node.lineno, f"the string {node.value!r}"


FORKS = re.compile(r"\bos\.fork\(|\bmultiprocessing\.Process\(")
ERASES = re.compile(r"\\x1b\[K|\\033\[K")
ONE_HOME = (
    (FORKS, "stress/process/child.py", "forks: process/child.py is the one place that does"),
    (ERASES, "stress/io/output.py", "draws over a line: io/output.py is the one place that does"),
)


def one_home(source):
    """Forking, and drawing over a line of the terminal, each have one home."""
    for pattern, home, complaint in ONE_HOME:
        if source.where != home:
            yield from ((number, complaint) for number, line in enumerate(source.lines, 1) if pattern.search(line))


def commands_are_alike(source):
    """A command.py has one entry `execute(options)`, whose options are a class named for the command."""
    entries = [node for node in source.tree.body if isinstance(node, ast.FunctionDef) and node.name == "execute"]
    if len(entries) != 1:
        yield 1, f"{len(entries)} functions `execute`"
        return
    arguments = entries[0].args.args
    kind = ast.unparse(arguments[0].annotation) if arguments and arguments[0].annotation else ""
    if not re.fullmatch(r"[A-Z]\w+Options", kind):
        yield entries[0].lineno, f"execute() takes {kind or 'nothing'}, not the command's options"
    if entries[0].returns is None or ast.unparse(entries[0].returns) != "int":
        yield entries[0].lineno, "execute() does not return the exit code"


def nothing_is_swallowed(source):
    """No bare except, and no handler of everything that passes."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            passes = all(isinstance(each, ast.Pass) for each in node.body)
            broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
            if node.type is None or (broad and passes):
                yield node.lineno, "an exception is swallowed"


def both_processors(source):
    """An x86 intrinsic stands beside its arm64 half in the same function."""
    for function in source.functions():
        text = ast.unparse(function)
        if "llvm.x86" in text and "llvm.aarch64" not in text:
            yield function.lineno, f"{function.name}: an x86 intrinsic without its arm64 half"
    outside = [node for node in source.tree.body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    if any("llvm.x86" in ast.unparse(node) for node in outside if not isinstance(node, ast.Expr)):
        yield 1, "an x86 intrinsic outside of any function"


RIDDLES = re.compile(
    r"\b(nobody|somebody|whoever|whomever|whom|anybody|everybody)\b|\bto be had\b|\bby whom\b|\bbe heeded\b|\bwhat is no\b", re.IGNORECASE
)


def plain_english(source):
    """Text names its actors: the CPU, the task, the caller; no pronoun stands for one."""
    for number, line in enumerate(source.lines, 1):
        if found := RIDDLES.search(line):
            yield number, f"{found[0]!r}: {line.strip()[:100]}"


FOREIGN_PATHS = re.compile(r"(?<![\w.])/(root|work|home/\w+)/|/tmp/w\b|(?<![\w.])/work\b(?!er)")


def no_private_paths(source):
    """Nothing names a path of the machine it was written on."""
    for number, line in enumerate(source.lines, 1):
        if FOREIGN_PATHS.search(line):
            yield number, line.strip()


# ---------------------------------------------------------------------------------------------------------------- the tests

IN_KERNELS = ROOT / "kernels" / "page" / "specimen.py"
IN_ROLES = ROOT / "stress" / "roles" / "specimen.py"
IN_CHECKERS = ROOT / "stress" / "checkers" / "specimen.py"
IN_STRESS = ROOT / "stress" / "explore" / "specimen.py"
COMMAND = ROOT / "stress" / "specimen" / "command.py"
DOC = '"""Do it.\n\n    Progress    wait-free\n    """'

#: rule, the files it holds in, and what breaks it: (path it pretends to stand at, source)
RULES = [
    (imports_go_down, KERNEL_FILES, IN_KERNELS, "from kernels.alloc.buddy import nid_of"),
    (imports_go_down, KERNEL_FILES, IN_KERNELS, "def f():\n    from stress import machine"),
    (doubters_know_the_layout_only, DOUBTERS, IN_CHECKERS, "from kernels.page.memdesc import is_folio"),
    (llvm_stays_in_base, COMPILED_FILES, IN_KERNELS, "from llvmlite import ir"),
    (llvm_stays_in_base, COMPILED_FILES, IN_KERNELS, "@intrinsic\ndef f(context): pass"),
    (orderings_stay_in_atomics, COMPILED_FILES, IN_KERNELS, "ORDER = 'seq_cst'"),
    (strong_accesses_are_argued, COMPILED_FILES, IN_KERNELS, "def f(mem):\n    return load_acquire(mem.pte, 0)"),
    (strong_accesses_are_argued, COMPILED_FILES, IN_KERNELS, "def f(mem):\n    # ORDER:\n    fence_seq_cst()"),
    (shared_arrays_are_indexed, COMPILED_FILES, IN_KERNELS, "@kernel\ndef f(mem):\n    mem.pte[0:4] = 0"),
    (shared_arrays_are_indexed, COMPILED_FILES, IN_KERNELS, "@kernel\ndef f(mem):\n    return np.sum(mem.pte)"),
    (shared_arrays_are_indexed, COMPILED_FILES, IN_KERNELS, "@jit.entry\ndef f(mem):\n    mem.pte.fill(0)"),
    (one_decorator, PRODUCT_FILES, IN_KERNELS, "@numba.njit\ndef f(a): pass"),
    (one_decorator, PRODUCT_FILES, IN_KERNELS, "@kernel\n@cache\ndef f(a): pass"),
    (kernels_say_what_they_are, COMPILED_FILES, IN_KERNELS, "@kernel\ndef f(mem):\n    return 1"),
    (kernels_say_what_they_are, COMPILED_FILES, IN_KERNELS, f"@kernel\ndef f(mem):\n    {DOC}\n    return 1"),
    (parameters_are_kernels_parameters, COMPILED_FILES, IN_KERNELS, "@kernel\ndef f(mem, pfn, cpu): pass"),
    (parameters_are_kernels_parameters, COMPILED_FILES, IN_KERNELS, "@kernel\ndef f(mem, cpu, order=0): pass"),
    (modules_say_what_they_are, KERNEL_FILES, IN_KERNELS, "x = 1"),
    (modules_say_what_they_are, KERNEL_FILES, IN_KERNELS, '"""Something.\n\nModels      a thing\n"""'),
    (sizes_are_bounded, PRODUCT_FILES, IN_KERNELS, "\n" * (MAX_FILE_LINES + 1)),
    (
        sizes_are_bounded,
        PRODUCT_FILES,
        IN_ROLES,
        "@kernel\ndef f(mem):\n    'Doc.'\n" + "    a = 1\n" * (MAX_BODY_LINES + 1),
    ),
    (sizes_are_bounded, PRODUCT_FILES, IN_STRESS, "def f():\n" + "    a = 1\n" * (MAX_FUNCTION_LINES + 1)),
    (sizes_are_bounded, PRODUCT_FILES, IN_STRESS, "@fast_kernel\ndef f(mem):\n    'Doc.'\n" + "    a = 1\n" * (MAX_BODY_LINES + 1)),
    (kernels_say_what_they_are, COMPILED_FILES, IN_KERNELS, "@slow_kernel\ndef f(mem):\n    return 1"),
    (flavour_names_its_users, STRESS_FILES, IN_STRESS, "def f():\n    from numba import types"),
    (kernels_name_nothing_above, KERNEL_FILES, IN_KERNELS, "ROOMS = ('kernels', 'stress.roles')"),
    (one_home, STRESS_FILES, IN_STRESS, "pid = os.fork()"),
    (one_home, STRESS_FILES, IN_STRESS, "out.write('\\r\\x1b[K')"),
    (commands_are_alike, COMMAND_FILES, COMMAND, "def run_it(options: RunOptions) -> int:\n    return 0"),
    (commands_are_alike, COMMAND_FILES, COMMAND, "def execute(options: Options) -> int:\n    return 0"),
    (commands_are_alike, COMMAND_FILES, COMMAND, "def execute(options: RunOptions):\n    return 0"),
    (plain_english, TEXTS, IN_KERNELS, "# freed by no" + "body"),
    (plain_english, TEXTS, ROOT / "stress" / "specimen.json", '{"description": "the list is not to' + ' be had"}'),
    (both_processors, KERNEL_FILES, IN_KERNELS, "def f(b):\n    return external(b, 'llvm.x86.sse2.pause')"),
]
ALL_PYTHON = [*PRODUCT_FILES, *TEST_FILES]
RULES += [
    (nothing_is_swallowed, ALL_PYTHON, IN_KERNELS, "try:\n    f()\nexcept Exception:\n    pass"),
    (nothing_is_swallowed, ALL_PYTHON, IN_KERNELS, "try:\n    f()\nexcept:\n    g()"),
]


def complaints(rule, sources):
    return [f"{source.where}:{line}: {what}" for source in sources for line, what in rule(source)]


@pytest.mark.parametrize(
    ("rule", "paths"), {rule: paths for rule, paths, _, _ in RULES}.items(), ids=lambda each: getattr(each, "__name__", "")
)
def test_rule_holds(rule, paths):
    found = complaints(rule, map(Source, paths))
    assert not found, f"{rule.__doc__}\n  " + "\n  ".join(found)


@pytest.mark.parametrize(("rule", "path", "text"), [(rule, path, text) for rule, _, path, text in RULES])
def test_rule_sees_its_specimen(rule, path, text):
    assert complaints(rule, [Source(path, text)]), f"{rule.__name__} has stopped looking"


def test_rules_let_good_source_pass():
    good = Source(
        IN_KERNELS,
        '"""Something.\n\nModels      a thing\nInvariants  I1\n"""\n\n'
        "from kernels.base.jit import kernel\n\n\n"
        f"@kernel\ndef f(mem, cpu, pfn):\n    {DOC}\n"
        "    # ORDER: acquire, pairs with g's release\n    while load_acquire(mem.pte, pfn):\n        pass\n",
    )
    assert [name for rule, paths, _, _ in RULES if paths not in (DOUBTERS, COMMAND_FILES) for name in complaints(rule, [good])] == []


# ------------------------------------------------------------------------------------------------- about the whole repository


def tracked_files():
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_nothing_names_a_path_of_the_machine_it_was_written_on():
    texts = [
        path for path in tracked_files() if path.suffix in (".py", ".md", ".toml", ".json", ".patch", ".c", "") and path != Path(__file__)
    ]
    found = []
    for path in texts:
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if FOREIGN_PATHS.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "private paths\n  " + "\n  ".join(found)


@pytest.mark.parametrize("line", ["x = '/" + "root/x'", "cd /" + "work/main", "open('/" + "tmp/w/1')"])
def test_private_paths_are_seen(line):
    assert FOREIGN_PATHS.search(line)


@pytest.mark.parametrize("line", ["https://example.org/working", "stress/storm/workers.py", "/tmp/wide", "a /proc/1/root"])
def test_other_paths_are_left_alone(line):
    assert not FOREIGN_PATHS.search(line)


def test_every_role_file_holds_one_record():
    import stress.roles
    from stress.roles._role import Role

    records = registry.scan(stress.roles, Role)
    files = [path.stem for path in ROLE_FILES if not path.name.startswith("_")]
    assert len(records) == len(files)
    assert sorted(records) == sorted(files), "a role is called as its file"


def test_two_records_in_one_file_are_refused(tmp_path, monkeypatch):
    from stress.roles._role import Role

    package = tmp_path / "house_specimen"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "two.py").write_text("from stress.roles._role import Role\nA = Role('a', 's', print)\nB = Role('b', 's', print)\n")
    monkeypatch.syspath_prepend(tmp_path)
    import house_specimen

    with pytest.raises(registry.RegistryError):
        registry.scan(house_specimen, Role)


def test_every_package_of_kernels_is_a_layer():
    assert {path.name for path in (ROOT / "kernels").iterdir() if path.is_dir() and path.name != "__pycache__"} == set(LAYERS)
