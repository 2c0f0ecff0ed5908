"""zsmalloc: objects behind handles, and the frames under them isolated, moved, released and put back."""

import pytest

from kernels.base.layout import EBUSY, NONE_WORD, NR_ULISTS, Bug, Type, Udesc

WHICH = 0  # node 0, class 0: two objects of four words in a frame of eight


def store(m, handle, which=WHICH):
    """Fill a handle, in a new zspage if need be; the frame it is in."""
    if not m.zs_malloc(which, handle):
        assert m.zs_malloc_new(which, handle, m.alloc_frozen_pages(0, 0, 1))
    return frame(m, handle)


def frame(m, handle):
    return (int(m["zs_obj"][handle]) - 1) >> 8


def state(m, pfn):
    assert m.word(pfn) & 15 == Type.MOVABLE
    return Udesc(int(m["u_word"][m.desc_at(pfn)]) & 7)


def target(m):
    return m.on(1).alloc_frozen_pages(1, 0, 1)


def end(m, *handles):
    for handle in handles:
        m.zs_free(handle)
    assert m["udesc_top"][0] == m.mem.nr_udesc
    assert not m["u_head"][:NR_ULISTS].any()
    assert m.free_frames() == 512


def test_objects_share_a_frame(machine):
    m = machine
    pfn = store(m, 0)
    assert store(m, 1) == pfn
    assert not m.zs_malloc(WHICH, 2), "it is full, and on no list"
    other = store(m, 2)
    assert other != pfn
    for handle in (0, 1, 2, 0):
        m.zs_access(handle, 1)
        m.zs_access(handle, 0)
    assert m["zs_version"][:3].tolist() == [2, 1, 1]
    m.zs_free(1)
    assert store(m, 3) == pfn, "the zspage with room comes first"
    end(m, 0, 2, 3)


def test_no_reference_is_ever_taken(machine):
    m = machine
    pfn = store(m, 0)
    before = m["refcount"].copy()
    assert m.try_get_pfn(pfn) == -1
    assert (m["refcount"] == before).all()
    end(m, 0)


@pytest.mark.meets("zs_object_moved")
def test_moved_objects_are_found_where_they_are(machine):
    m = machine
    pfn = store(m, 0)
    store(m, 1)
    m.zs_access(0, 1)
    m.zs_free(1)  # a free object moves too, as the free one that it is
    word, to = m.word(pfn), target(m)
    assert m.on(1).isolate_zspage(pfn, word)
    assert state(m, pfn) == Udesc.ISOLATED
    assert m.on(1).migrate_zspage(pfn, to, word) == 1
    assert frame(m, 0) == to
    assert (m.word(to), state(m, to)) == (word, Udesc.LIVE)
    assert m.word(pfn) == NONE_WORD
    m.zs_access(0, 0)
    assert store(m, 1) == to
    assert m.counter("met_zs_object_moved") == 1
    end(m, 0, 1)


def test_one_isolator(machine):
    m = machine
    pfn = store(m, 0)
    word = m.word(pfn)
    assert m.on(1).isolate_zspage(pfn, word)
    assert not m.on(2).isolate_zspage(pfn, word)
    m.zs_access(0, 1)
    assert m.on(1).putback_zspage(pfn, word)
    assert state(m, pfn) == Udesc.LIVE
    end(m, 0)


def test_a_stale_word_isolates_nothing(machine):
    m = machine
    pfn = store(m, 0)
    word = m.word(pfn)
    m.zs_free(0)
    assert not m.on(1).isolate_zspage(pfn, word)
    other = m.alloc_frozen_pages(1, 0, 1)
    assert m.zs_malloc_new(WHICH, 0, other)
    assert m.word(other) == word, "the descriptor is reused immediately"
    assert not m.on(1).isolate_zspage(pfn, word), "for another frame"
    end(m, 0)


@pytest.mark.parametrize("ending", ["migrate", "putback"])
@pytest.mark.meets("zspage_emptied_while_isolated")
def test_emptied_while_isolated_is_freed_by_the_isolator(machine, ending):
    """F5: in Linux nothing prevents the owner from destroying it."""
    m = machine
    pfn = store(m, 0)
    word = m.word(pfn)
    assert m.on(1).isolate_zspage(pfn, word)
    m.zs_free(0)
    assert state(m, pfn) == Udesc.RELEASED
    assert m.counter("met_zspage_emptied_while_isolated") == 1
    assert store(m, 1) != pfn, "nothing is allocated from it"
    if ending == "migrate":
        to = target(m)
        assert m.on(1).migrate_zspage(pfn, to, word) == 0
        m.on(1).free_frozen_pages(to, 0)
    else:
        assert not m.on(1).putback_zspage(pfn, word)
    end(m, 1)


@pytest.mark.meets("zspage_reader_refused_migration")
def test_a_reader_refuses_the_migration(machine):
    m = machine
    pfn = store(m, 0)
    word, to = m.word(pfn), target(m)
    assert m.on(1).isolate_zspage(pfn, word)
    m["u_lock"][m.desc_at(pfn)] = 1
    assert m.on(1).migrate_zspage(pfn, to, word) == -EBUSY
    assert state(m, pfn) == Udesc.ISOLATED
    m["u_lock"][m.desc_at(pfn)] = 0
    m.on(1).free_frozen_pages(to, 0)
    assert m.on(1).putback_zspage(pfn, word)
    end(m, 0)


def test_range_migration_moves_a_zspage(machine):
    m = machine
    pfn = store(m, 0)
    m.zs_access(0, 1)
    m.clear_bitmap(0)
    m.set_bit(0, pfn)
    assert m.migrate_range(0, 0, 2, 1) == 0
    assert frame(m, 0) != pfn
    assert (m.counter("migrated_contig_range"), m.counter("zspage_migrate")) == (1, 1)
    m.zs_access(0, 0)
    end(m, 0)


@pytest.mark.parametrize(("word", "code"), [(0, Bug.HANDLE), (1, Bug.STRANGER), (2, Bug.LOST_WRITE), (3, Bug.TORN_COPY)], ids=str)
def test_what_an_object_must_hold(machine, word, code):
    m = machine
    base = store(m, 0) * m.mem.words_per_frame
    m["contents"][base + word] += 2
    m.expect_bug(code, lambda: m.zs_access(0, 0))
    m["contents"][base + word] -= 2
    m["halt"][0] = 1  # the child left with locks held


def test_out_of_descriptors(machine):
    m = machine
    top, m["udesc_top"][0] = int(m["udesc_top"][0]), 0
    pfn = m.alloc_frozen_pages(0, 0, 1)
    assert not m.zs_malloc_new(WHICH, 0, pfn)
    m["udesc_top"][0] = top
    m.free_frozen_pages(pfn, 0)
