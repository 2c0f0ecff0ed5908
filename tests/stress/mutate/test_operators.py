"""Mutants of small sources: each kind is found where it should be, named by its text, and the woven source does both."""

import ast

import pytest

from stress.mutate.alive import ALIVE
from stress.mutate.operators import Mutant, mutants_of, weave
from stress.mutate.woven import ROOT

MUTANTS, TEXTS = mutants_of(ROOT)


def woven(body, function="f", parameters="mem, cpu, pfn, word"):
    """The mutants of one kernel, and its woven source."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    mutants = []
    text = weave(ast.parse(f"import x\n\n\n@kernel\ndef {function}({parameters}):\n{lines}\n"), "kernels/a/b.py", mutants)
    return mutants, text


def texts(body, kind):
    return [each.text for each in woven(body)[0] if each.kind == kind]


class Trace:
    """A machine that writes down what is done to it."""

    def __init__(self, alive):
        self.alive, self.done = alive, []
        self.pte, self.flags = "pte", "flags"


def run(body, number, answers=()):
    """What a woven kernel does, in order, with one mutant alive; calls are answered in turn, then with 0."""
    _, text = woven(body)
    mem, answers = Trace(number), list(answers)

    def access(name):
        def called(*arguments):
            mem.done.append((name, *(each for each in arguments if each is not mem)))
            return answers.pop(0) if answers else 0

        return called

    names = {each.id for each in ast.walk(ast.parse(text)) if isinstance(each, ast.Name)}
    scope = {name: access(name) for name in names}
    scope |= {"kernel": lambda function: function, "range": range, ALIVE: lambda mem, number: mem.alive == number, "TRIES": 3}
    exec(
        compile(text.replace("import x", "").replace(f"from kernels.base.{ALIVE} import {ALIVE}", "").split("@kernel")[1], "woven", "exec"),
        scope,
    )
    result = scope["f"](mem, 0, 7, 5)
    return mem.done, result


# ------------------------------------------------------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("if load_relaxed(mem.pte, pfn) != word:\n    return -1\nuse(mem)", ["load_relaxed(mem.pte, pfn) != word -> False"]),
        ("if load_relaxed(mem.pte, pfn) == word:\n    use(mem)", ["load_relaxed(mem.pte, pfn) == word -> True"]),
        ("if not spin_trylock(mem, cpu, 1):\n    return False\nreturn True", ["not spin_trylock(mem, cpu, 1) -> False"]),
        (
            "while True:\n    if cas_relaxed(mem.pte, pfn, 0, 1) == 0:\n        return True",
            ["cas_relaxed(mem.pte, pfn, 0, 1) == 0 -> True"],
        ),
        (
            "same = load_relaxed(mem.pte, pfn) == word and covers(mem, pfn)",
            ["load_relaxed(mem.pte, pfn) == word -> True", "covers(mem, pfn) -> True"],
        ),
        ("changed = load_relaxed(mem.pte, pfn) != word", ["load_relaxed(mem.pte, pfn) != word -> False"]),
        ("spin_lock(mem, cpu, 1)\nif mem.flags[pfn] & 1:\n    spin_unlock(mem, cpu, 1)\n    return 5", ["mem.flags[pfn] & 1 -> False"]),
        # a first look, an assertion, a statistic, and whether there was anything are no re-checks
        ("if load_relaxed(mem.pte, pfn) & 1:\n    use(mem)", []),
        ("if load_relaxed(mem.pte, pfn) != word:\n    bug(mem, cpu, 1, 2, 3, 4)", []),
        ("if load_relaxed(mem.pte, pfn) == word:\n    count(mem, cpu, 1, 1)", []),
        ("desc = try_get(mem, pfn)\nif desc < 0:\n    return -1", []),
    ],
)
def test_rechecks(body, expected):
    assert texts(body, "recheck") == expected


@pytest.mark.parametrize(
    ("access", "weaker"),
    [
        ("load_acquire(mem.pte, pfn)", ["load_relaxed"]),
        ("store_release(mem.pte, pfn, 1)", ["store_relaxed"]),
        ("cas_acq_rel(mem.pte, pfn, 0, 1)", ["cas_acquire", "cas_release"]),
        ("fetch_add_seq_cst(mem.pte, pfn, 1)", ["fetch_add_acquire", "fetch_add_release"]),
        ("exchange_release(mem.pte, pfn, 1)", ["exchange_relaxed"]),
        ("load_relaxed(mem.pte, pfn)", []),
        ("store_relaxed(mem.pte, pfn, 1)", []),
    ],
)
@pytest.mark.parametrize("form", ["{}", "seen = {}", "return {}"])
def test_orders(access, weaker, form):
    found = texts(form.format(access), "order")
    assert [text.partition(" -> ")[2].partition(":")[0] for text in found] == weaker


def test_a_fence_is_dropped():
    body = "store_relaxed(mem.pte, pfn, 1)\nfence_seq_cst()\nuse(mem)"
    assert texts(body, "order") == ["fence_seq_cst() -> nothing"]
    assert [name for name, *_ in run(body, 0)[0]] == ["store_relaxed", "fence_seq_cst", "use"]
    assert [name for name, *_ in run(body, 1)[0]] == ["store_relaxed", "use"]


def test_what_is_published_early_is_a_swap_and_two_plain_stores_are_none():
    body = "store_relaxed(mem.pte, pfn, 1)\nstore_relaxed(mem.flags, pfn, 2)\nstore_release(mem.pte, pfn, 3)"
    assert texts(body, "swap") == ["store_release(mem.pte, pfn, 3) before store_relaxed(mem.flags, pfn, 2)"]
    number = next(each.number for each in woven(body)[0] if each.kind == "swap")
    assert [done[-1] for done in run(body, 0)[0]] == [1, 2, 3]
    assert [done[-1] for done in run(body, number)[0]] == [1, 3, 2]


def test_a_lock_scope_is_shortened_at_both_ends():
    body = "spin_lock(mem, cpu, 1)\nload_relaxed(mem.pte, pfn)\nlocal = pfn + 1\nstore_relaxed(mem.flags, pfn, 2)\nspin_unlock(mem, cpu, 1)"
    assert len(texts(body, "lock")) == 2
    orders = {tuple(name for name, *_ in run(body, each.number)[0]) for each in woven(body)[0] if each.kind == "lock"}
    assert orders == {
        ("load_relaxed", "spin_lock", "store_relaxed", "spin_unlock"),
        ("spin_lock", "load_relaxed", "spin_unlock", "store_relaxed"),
    }


def test_a_test_under_a_lock_is_made_before_it():
    body = "spin_lock(mem, cpu, 1)\nat = pfn + 1\nif load_relaxed(mem.pte, at) == word:\n    use(mem)\nspin_unlock(mem, cpu, 1)"
    number = next(each.number for each in woven(body)[0] if each.kind == "lock" and "after" in each.text)
    assert [name for name, *_ in run(body, 0, [0, 5])[0]] == ["spin_lock", "load_relaxed", "use", "spin_unlock"]
    assert [name for name, *_ in run(body, number, [5])[0]] == ["load_relaxed", "spin_lock", "use", "spin_unlock"]


def test_a_trylock_is_taken_later():
    body = "if not spin_trylock(mem, cpu, 1):\n    return -1\nheld = mem_load(mem)\nspin_unlock(mem, cpu, 1)\nreturn held"
    number = next(each.number for each in woven(body)[0] if each.kind == "lock" and "after" in each.text)
    assert [name for name, *_ in run(body, number, [9, 1])[0]] == ["mem_load", "spin_trylock", "spin_unlock"]
    assert run(body, number, [9, 0]) == ([("mem_load",), ("spin_trylock", 0, 1)], -1)


def test_a_retry_loop_tries_once_less():
    body = "for _ in range(TRIES):\n    if use(mem):\n        return True\nreturn False"
    assert texts(body, "retry") == ["range(TRIES) -> one less"]
    assert len(run(body, 0)[0]) == 3
    assert len(run(body, 1)[0]) == 2


def test_a_dropped_recheck_still_reads():
    body = "if load_relaxed(mem.pte, pfn) != word:\n    return -1\nuse(mem)\nreturn 1"
    assert run(body, 0, [6]) == ([("load_relaxed", "pte", 7)], -1)
    assert run(body, 1, [6]) == ([("load_relaxed", "pte", 7), ("use",)], 1)


def test_the_same_text_twice_has_two_names():
    body = "if not spin_trylock(mem, cpu, 1):\n    return 0\nif not spin_trylock(mem, cpu, 1):\n    return 0"
    names = [each.name for each in woven(body)[0] if each.kind == "recheck"]
    assert len(set(names)) == 2
    assert names[1] == names[0] + " #2"


def test_only_kernels_are_mutated():
    mutants = []
    weave(ast.parse("import x\ndef f(mem):\n    fence_seq_cst()\n@kernel\ndef g(word):\n    fence_seq_cst()"), "kernels/a/b.py", mutants)
    assert mutants == []


# --------------------------------------------------------------------------------------------------------- the real kernels


def test_the_kernels_have_hundreds_each_with_a_name_of_its_own():
    assert len(MUTANTS) > 300
    assert len({each.name for each in MUTANTS}) == len(MUTANTS)
    assert [each.number for each in MUTANTS] == list(range(1, len(MUTANTS) + 1))
    assert {each.kind for each in MUTANTS} == {"recheck", "order", "swap", "lock", "retry"}


@pytest.mark.parametrize(
    "wanted",
    [
        "alloc/release.py:recheck_through:recheck: load_relaxed(mem.memdesc, pfn) == word -> True",
        "map/pagecache.py:filemap_get_entry:recheck: load_entry(mem, file, index) == entry -> True",
        "map/access.py:gup_fast:recheck: now | WALKER_BITS != pte | WALKER_BITS -> False",
        "map/access.py:gup_fast:order: fence_seq_cst() -> nothing",
        "page/refcount.py:ref_unfreeze:order: store_release -> store_relaxed: mem.refcount, desc, nr_refs",
        "migrate/folio.py:folio_migrate_move:recheck: load_acquire(mem.refcount, src) != expected -> False",
        "base/lock.py:spin_unlock:order: store_release -> store_relaxed: mem.lock_word, lock, 0",
    ],
)
def test_what_matters_most_is_among_them(wanted):
    assert wanted in {each.name for each in MUTANTS}


def test_every_mutant_stands_in_the_woven_source_once():
    for path, text in TEXTS.items():
        numbers = {
            call.args[1].value for call in ast.walk(ast.parse(text)) if isinstance(call, ast.Call) and getattr(call.func, "id", "") == ALIVE
        }
        assert numbers == {each.number for each in MUTANTS if each.file == str(path.relative_to(ROOT))}


def test_a_name_says_no_line():
    assert Mutant(1, "kernels/map/tlb.py", "f", "order", "a -> b", 2).name == "map/tlb.py:f:order: a -> b #2"
