"""The kit itself: the audit refuses broken machines, and a test reaches every meeting of the layout."""

import ast
from pathlib import Path

import pytest

from kernels.base.layout import MEETINGS, PTE_MIGRATION, PTE_PRESENT
from tests.kernels import kit

HERE = Path(__file__).parent


def reached():
    """The meetings that the tests of this folder are marked with; the fixture `machine` verifies each mark."""
    sources = (text for text in (path.read_text() for path in HERE.rglob("test_*.py")) if ".meets(" in text)
    calls = (node for text in sources for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {name.value for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "meets" for name in call.args}


def test_every_meeting_is_reached():
    assert reached() == set(MEETINGS)


BREAKS = {
    "a lock that is held": lambda m, pfn: m.spin_lock(0, 0),
    "a migration entry that was left": lambda m, pfn: m["pte"].__setitem__(8, m.pte(0, 8) & ~PTE_PRESENT | PTE_MIGRATION),
    "a PTE that no mapcount counts": lambda m, pfn: m["pte"].__setitem__(9, pfn << 10 | PTE_PRESENT),
    "a mapcount without a PTE": lambda m, pfn: m["mapcount"].__setitem__(m.desc_at(pfn) + 1, 1),
    "a word that leads to no reference": lambda m, pfn: m["refcount"].__setitem__(m.desc_at(pfn), 0),
    "a free block with another word": lambda m, pfn: m["memdesc"].__setitem__(256, m.buddy_word(3)),
    "a frame inside a free block with a word": lambda m, pfn: m["memdesc"].__setitem__(257, m.word(pfn)),
    "a free block on the list of another migratetype": lambda m, pfn: m["block_migratetype"].__setitem__(32, 0),
    "a free count that is wrong": lambda m, pfn: m["zone_free"].__setitem__(1, 255),
    "a list whose length is wrong": lambda m, pfn: m["nr_free"].__setitem__(0, 1),
}


@pytest.mark.parametrize("what", BREAKS)
def test_the_audit_refuses(built, what):
    m = kit.make_machine()
    pfn = m.touch(0, 8)
    m.drain()
    kit.audit(m)
    BREAKS[what](m, pfn)
    with pytest.raises(AssertionError):
        kit.audit(m)
