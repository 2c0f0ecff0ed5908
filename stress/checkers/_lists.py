"""Doubly linked lists through arrays, all at once.

A list of a hundred thousand folios cannot be followed node by node in numpy. Instead each link is compared with its way back,
which leaves only paths and rings, and the beginning of each path is found by pointer doubling in log2(n) steps.
"""

from typing import NamedTuple

import numpy as np

from stress.checkers._view import Bools, Ints, lookup, within


class Chains(NamedTuple):
    """Of each member: where its links lead astray, and which list it is on."""

    astray: Bools  # the next or the previous one is no member
    torn: Bools  # a neighbour does not link back
    ring: Bools  # no beginning can be reached
    list_of: Ints  # the list whose head leads to it; -1: none


def read_chains(members: Ints, after: Ints, before: Ints, heads: Ints, size: int) -> Chains:
    """Follow lists whose links are index + 1, 0 ends a list.

    Parameters  members: indices of all nodes that should be on some list; after, before: links of all nodes;
                heads: per list, index + 1 of its first node; size: number of nodes there are
    """
    place = np.full(size, -1, np.int64)
    place[members] = np.arange(len(members))
    following, preceding = after[members], before[members]
    follower, leader = lookup(place, following - 1), lookup(place, preceding - 1)
    astray = ((follower < 0) & (following != 0)) | ((leader < 0) & (preceding != 0))
    here = np.arange(len(members))
    torn = ((follower >= 0) & (lookup(leader, follower) != here)) | ((leader >= 0) & (lookup(follower, leader) != here))
    first = _beginning(leader)
    ring = np.zeros(len(members), np.bool_)
    ring[:] = leader[first] >= 0
    list_of_first = np.full(len(members), -1, np.int64)
    first_member = lookup(place, heads - 1)
    known = within(first_member, len(members))
    list_of_first[first_member[known]] = np.flatnonzero(known)
    return Chains(astray, torn, ring, list_of_first[first])


def _beginning(leader: Ints) -> Ints:
    """The node at which going back from each node ends, or any node of a ring."""
    here = np.arange(len(leader))
    jump = np.where(leader >= 0, leader, here)
    for _ in range(max(1, len(leader).bit_length())):
        further = jump[jump]
        if np.array_equal(further, jump):
            break
        jump = further
    return jump
