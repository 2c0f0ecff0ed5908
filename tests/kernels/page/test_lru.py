"""LRU lists and isolation from them."""

import pytest

from kernels.base.layout import FL_LRU, Bug, Type
from tests.kernels.page.test_folio import make_folio


def on_list(m, lruvec):
    found, link = [], int(m["lru_head"][lruvec])
    while link:
        found.append(link - 1)
        link = int(m["folio_next"][link - 1])
    assert len(found) == m["lru_count"][lruvec]
    return found


def test_newest_first_and_by_kind(machine):
    m = machine
    anon = [make_folio(m)[0] for _ in range(3)]
    file = make_folio(m, kind=Type.FILE)[0]
    for desc in (*anon, file):
        m.lru_add(desc)
    assert on_list(m, 0) == anon[::-1]
    assert on_list(m, 1) == [file]
    for desc in (*anon, file):
        m.folio_put(desc)
    assert on_list(m, 0) == on_list(m, 1) == []


@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_isolator(machine, which):
    m = machine
    descs = [make_folio(m)[0] for _ in range(3)]
    for desc in descs:
        m.lru_add(desc)
    chosen = descs.pop(which)
    assert m.folio_isolate_lru(chosen)
    assert not m.on(1).folio_isolate_lru(chosen)
    assert on_list(m, 0) == descs[::-1]
    assert m.refs(chosen) == 2
    assert m["lru_isolated"][0] == 1
    for desc in (*descs, chosen, chosen):
        m.folio_put(desc)


def test_a_link_that_does_not_link_back_is_a_bug(machine):
    m = machine
    descs = [make_folio(m)[0] for _ in range(3)]
    for desc in descs:
        m.lru_add(desc)
    m["folio_next"][descs[2]] = descs[0] + 1
    m.expect_bug(Bug.LIST_CORRUPT, lambda: m.folio_isolate_lru(descs[1]))


def test_freeing_takes_it_off(machine):
    m = machine
    desc, _ = make_folio(m)
    m.lru_add(desc)
    assert m.folio_test(desc, FL_LRU)
    m.folio_put(desc)
    assert m["lru_count"][0] == 0
