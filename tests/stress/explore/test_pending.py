"""What a pending step touches, and whether it writes, with and without store buffers."""

import pytest

from kernels.base import points
from kernels.base.points import REQUEST_WORDS, REQUESTS
from stress.explore import state
from stress.explore.state import B_ADDRESS, BUFFERED, BUFFERS, FLUSH, NR_LANES, NR_TASKS
from tests.stress.explore.flavours import interpreted

pytestmark = interpreted
ADDRESS = 4096
WRITING = {points.CAS, points.FETCH_ADD, points.FETCH_OR, points.FETCH_AND, points.EXCHANGE, points.AWAIT}


def request(kind, nr_lanes):
    """The words of a scheduler, one of whose two tasks is about to make an access."""
    words = [0] * state.STRATEGY_WORDS
    words[NR_TASKS], words[NR_LANES] = 2, nr_lanes
    at = REQUESTS + REQUEST_WORDS * 1
    words[at], words[at + 1] = kind, 0 if kind in (points.FENCE, points.WAIT) else ADDRESS
    return words


@pytest.mark.parametrize("nr_lanes", [0, 1, 6])
@pytest.mark.parametrize("kind", [*WRITING, points.LOAD, points.STORE, points.FENCE, points.WAIT])
def test_a_pending_access(kind, nr_lanes):
    from stress.explore.pending import pending_address, pending_word, pending_writes

    words = request(kind, nr_lanes)
    touches = kind not in (points.FENCE, points.WAIT)
    buffered = kind == points.STORE and nr_lanes > 0
    assert pending_address(words, 1) == (ADDRESS if touches else 0)
    assert pending_word(words, 1) == (ADDRESS if touches and not buffered else 0)
    assert bool(pending_writes(words, 1)) == (kind in WRITING or (kind == points.STORE and not buffered))


def test_a_pending_flush_is_a_write_of_the_oldest_store():
    from stress.explore.pending import pending_address, pending_word, pending_writes

    words = request(points.LOAD, 1)
    lane = 1  # of task 1
    words[BUFFERED + lane] = 2
    entry = BUFFERS + lane * state.BUFFER_CAPACITY * state.BUFFER_WORDS
    words[entry + B_ADDRESS], words[entry + state.BUFFER_WORDS + B_ADDRESS] = ADDRESS + 8, ADDRESS + 16
    assert pending_address(words, FLUSH + lane) == pending_word(words, FLUSH + lane) == ADDRESS + 8
    assert pending_writes(words, FLUSH + lane)
