"""Objects in a frame: taken, given back, stamped, and what their holder finds wrong with them."""

import pytest

from kernels.base.layout import OBJ_MASK, OBJ_SHIFT, Bug, Type

WORDS, PER_FRAME = 4, 2  # of an object; objects in a frame of eight words
OWNER = 1 << 40


@pytest.fixture
def frame(machine):
    """A machine, a frame and its descriptor; all of its objects are free."""
    pfn = machine.alloc_frozen_pages(0, 0, 2)
    udesc = machine.udesc_alloc(Type.SLAB, pfn, 0)
    machine.objects_init(udesc, pfn, WORDS)
    yield machine, pfn, udesc
    machine.free_frozen_pages(pfn, 0)


def take(m, udesc, tag):
    return m.object_take(udesc, WORDS, tag)


def test_every_object_once_and_then_none(frame):
    m, pfn, udesc = frame
    objects = [take(m, udesc, tag) for tag in range(PER_FRAME)]
    assert [(obj >> OBJ_SHIFT, obj & OBJ_MASK) for obj in objects] == [(pfn, number) for number in range(PER_FRAME)]
    assert (m["u_inuse"][udesc], m["u_free"][udesc]) == (PER_FRAME, 0)
    bases = [m.object_base(obj, WORDS) for obj in objects]
    assert bases == [pfn * 8, pfn * 8 + WORDS]


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_given_back_is_taken_again(frame, first):
    m, _, udesc = frame
    objects = [take(m, udesc, 5) for _ in range(PER_FRAME)]
    for obj in (objects[first], objects[1 - first]):
        m.object_give(udesc, obj, WORDS, 5)
    assert m["u_inuse"][udesc] == 0
    assert [take(m, udesc, 6) for _ in range(PER_FRAME)] == [objects[1 - first], objects[first]], "the last one first"


def test_a_holder_finds_what_it_wrote_last(frame):
    m, pfn, udesc = frame
    mine, other = take(m, udesc, 1), take(m, udesc, 2)
    m.object_stamp(mine, WORDS, OWNER | 1, 7)
    m.object_stamp(other, WORDS, OWNER | 2, 9)
    m.object_check(mine, WORDS, 1, OWNER | 1, 7)
    m.object_check(other, WORDS, 2, OWNER | 2, 9)
    m.object_give(udesc, other, WORDS, 2)
    m.object_check(mine, WORDS, 1, OWNER | 1, 7)
    assert m["contents"][pfn * 8 + 1 : pfn * 8 + WORDS].tolist() == [OWNER | 1, 7, 7]


@pytest.mark.parametrize(("word", "code"), [(0, Bug.HANDLE), (1, Bug.STRANGER), (2, Bug.LOST_WRITE), (3, Bug.TORN_COPY)])
def test_what_is_wrong_with_an_object(frame, word, code):
    m, pfn, udesc = frame
    mine = take(m, udesc, 1)
    m.object_stamp(mine, WORDS, OWNER, 7)
    m["contents"][pfn * 8 + word] ^= 8
    assert m.expect_bug(code, lambda: m.object_check(mine, WORDS, 1, OWNER, 7))[1] == pfn


@pytest.mark.parametrize("how", ["twice", "by another"])
def test_a_wrong_free_is_a_bug_and_changes_nothing(frame, how):
    m, pfn, udesc = frame
    mine = take(m, udesc, 1)
    if how == "twice":
        m.object_give(udesc, mine, WORDS, 1)
    free, contents = m["u_free"][udesc], m["contents"].copy()
    assert m.expect_bug(Bug.HANDLE, lambda: m.object_give(udesc, mine, WORDS, 2 if how == "by another" else 1))[1] == pfn
    assert m["u_free"][udesc] == free
    assert (m["contents"] == contents).all()
