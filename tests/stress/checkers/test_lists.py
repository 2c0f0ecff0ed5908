"""Lists through arrays, against following them one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.checkers._lists import read_chains


def linked(lists, size):
    after, before, heads = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(len(lists), np.int64)
    for k, nodes in enumerate(lists):
        for here, following in zip(nodes, [*nodes[1:], -1][: len(nodes)], strict=True):
            after[here] = following + 1
            if following >= 0:
                before[following] = here + 1
        heads[k] = nodes[0] + 1 if nodes else 0
    return after, before, heads


def members_of(lists):
    return np.array(sorted(node for nodes in lists for node in nodes), np.int64)


@given(st.permutations(range(12)), st.integers(0, 12), st.integers(0, 12))
def test_sound_lists(order, first_cut, second_cut):
    first_cut, second_cut = sorted((first_cut, second_cut))
    lists = [order[:first_cut], order[first_cut:second_cut]]
    members = members_of(lists)
    chains = read_chains(members, *linked(lists, 12), 12)
    assert not (chains.astray | chains.torn | chains.ring).any()
    assert all(node in lists[where] for node, where in zip(members.tolist(), chains.list_of.tolist(), strict=True))


@pytest.mark.parametrize("cut", range(5))
def test_rings_end(cut):
    after, before, heads = linked([[0, 1, 2, 3, 4]], 8)
    after[4], before[cut] = cut + 1, 5
    if cut:
        after[cut - 1] = 0
    chains = read_chains(np.arange(5), after, before, heads, 8)
    assert chains.ring[cut:].all()
    assert not chains.ring[:cut].any()


def test_what_is_no_member_is_astray():
    chains = read_chains(np.array([0, 2]), *linked([[0, 1, 2]], 3), 3)
    assert chains.astray.all()
    assert chains.list_of.tolist() == [0, -1]


def test_no_members_at_all():
    assert len(read_chains(np.array([], np.int64), *linked([[]], 3), 3).list_of) == 0
