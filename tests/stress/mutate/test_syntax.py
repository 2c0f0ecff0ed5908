"""What the syntax tree of a statement shows."""

import ast

import pytest

from stress.mutate.syntax import accesses, brief, field_of, gives_up, is_kernel, leaves, locks, only_complains, releases, touches


def statement(text):
    return ast.parse(text).body[0]


def expression(text):
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("mem.pte[pfn]", "pte"),
        ("load_relaxed(mem.memdesc, pfn)", "memdesc"),
        ("cas_acq_rel(mem.refcount, desc, 1, 0)", "refcount"),
        ("other.pte[pfn]", ""),
        ("load_twice(mem.pte, pfn)", ""),
        ("mem.nr_frames", ""),
    ],
)
def test_a_field_is_touched_by_an_index_or_an_access(text, field):
    assert field_of(expression(text)) == field


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("folio_lock(mem, cpu, desc)", "folio_lock"),
        ("count(mem, cpu, 1, 1)", ""),  # statistics
        ("minimum(a, b)", ""),  # does not take the machine
        ("mem.counters[at]", ""),  # no protocol reads it
    ],
)
def test_a_kernel_that_takes_the_machine_touches_it(text, name):
    assert touches(expression(text)) == name


def test_accesses_are_found_at_any_depth():
    found = accesses(statement("if load_relaxed(mem.pte, pfn) == 0 and is_free(mem, pfn):\n    mem.flags[pfn] = 1"))
    assert sorted(found) == ["flags", "is_free", "pte"]


@pytest.mark.parametrize(("text", "yes"), [("for k in a:\n    break", True), ("if a:\n    return 1", True), ("x = 1", False)])
def test_leaving_is_seen(text, yes):
    assert leaves(statement(text)) is yes


@pytest.mark.parametrize(
    ("text", "yes"),
    [("spin_lock(mem, cpu, 1)", True), ("folio_trylock(mem, cpu, d)", True), ("read_unlock(mem, 1)", True), ("block(mem)", False)],
)
def test_locks_are_known_by_their_names(text, yes):
    assert locks(statement(text)) is yes


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("store_release(mem.pte, pfn, 1)", True),
        ("fetch_add_acq_rel(mem.refcount, d, 1)", True),
        ("store_relaxed(mem.pte, pfn, 1)", False),
        ("load_seq_cst(mem.pte, pfn)", False),
        ("cas_acquire(mem.pte, pfn, 0, 1)", False),
    ],
)
def test_only_stores_and_updates_release(text, yes):
    assert releases(expression(text)) is yes


@pytest.mark.parametrize(
    ("body", "yes"),
    [
        ("return", True),
        ("return -1", True),
        ("return False", True),
        ("return 5", False),
        ("spin_unlock(mem, cpu, 1)\nreturn 5", True),
        ("x = 1", False),
    ],
)
def test_giving_up_is_a_refusal_at_the_end(body, yes):
    assert gives_up(ast.parse(body).body) is yes


@pytest.mark.parametrize(
    ("body", "yes"), [("bug(mem, cpu, 1, 2, 3, 4)\ncount(mem, cpu, 1, 1)", True), ("relax(mem, cpu)", False), ("x = 1", False)]
)
def test_complaints_are_bug_and_statistics(body, yes):
    assert only_complains(ast.parse(body).body) is yes


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("@kernel\ndef f(mem, cpu): pass", True),
        ("@jit.slow_kernel\ndef f(mem): pass", True),
        ("@kernel\ndef f(word): pass", False),
        ("def f(mem): pass", False),
        ("@kernel\ndef f(): pass", False),
    ],
)
def test_a_kernel_is_compiled_and_takes_the_machine(text, yes):
    assert is_kernel(statement(text)) is yes


def test_a_compound_statement_is_named_by_its_head():
    assert brief(statement("if a == b:\n    use(mem)")) == "if a == b:"
