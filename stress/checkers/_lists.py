"""Reads doubly linked lists that are stored in arrays, all nodes together.

Following a list of a hundred thousand folios node by node is too slow in Python. Instead each link is compared with the link back,
which leaves only paths and rings, and pointer doubling finds the first node of each path in log2(n) steps.
"""

from typing import NamedTuple

import numpy as np

from stress.checkers._view import Bools, Ints, lookup, within


class Chains(NamedTuple):
    """For each member: whether its links are broken, and which list it is on."""

    astray: Bools  # a link points to a node that is not a member
    torn: Bools  # a neighbour does not link back
    ring: Bools  # going back from it never reaches a first node
    list_of: Ints  # the list that it is on; -1: none


def read_chains(members: Ints, after: Ints, before: Ints, heads: Ints, size: int) -> Chains:
    """Follow lists with links of index + 1; 0 ends a list.

    Parameters  members: indices of all nodes that should be on some list; after, before: links of all nodes;
                heads: per list, index + 1 of its first node; size: the number of all nodes
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
    """The node that going back from each node ends at; any node of a ring."""
    here = np.arange(len(leader))
    jump = np.where(leader >= 0, leader, here)
    for _ in range(max(1, len(leader).bit_length())):
        further = jump[jump]
        if np.array_equal(further, jump):
            break
        jump = further
    return jump
