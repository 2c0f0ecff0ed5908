"""The first state of a machine."""

import numpy as np
import pytest

from kernels.base.layout import NONE_WORD, Geometry, Migratetype, Misc
from tests.kernels import kit


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(("nodes", "frames", "block"), [(1, 1024, 9), (2, 256, 3), (3, 24, 3), (2, 2048 + 512, 9)])
def test_everything_is_free_in_the_largest_blocks(nodes, frames, block):
    m = kit.make_machine(
        Geometry(
            nr_nodes=nodes, frames_per_node=frames, pageblock_order=block, words_per_frame=8, nr_tasks=4, task_pages=64, table_pages=16
        )
    )
    kit.audit(m)
    assert (m["zone_free"] == frames).all()
    assert sorted(order for _, order, _ in kit.free_lists(m)) == sorted(blocks_of(frames) * nodes)
    assert (m["block_migratetype"] == Migratetype.MOVABLE).all()
    assert (m["zone_min"] < m["zone_low"]).all()
    assert (m["zone_low"] < m["zone_high"]).all()
    heads = [pfn for pfn, _, _ in kit.free_lists(m)]
    assert (np.delete(m["memdesc"], heads) == NONE_WORD).all()


def blocks_of(frames):
    """The orders of the largest aligned blocks from 0 on."""
    found, pfn = [], 0
    while pfn < frames:
        order = next(o for o in range(10, -1, -1) if pfn % (1 << o) == 0 and pfn + (1 << o) <= frames)
        found.append(order)
        pfn += 1 << order
    return found


@pytest.mark.usefixtures("built")
def test_reserved_frames_are_never_free():
    reserved = 5
    m = kit.make_machine(reserved_frames=reserved)
    kit.audit(m)
    for first in (0, 256):
        assert [m.word(first + k) for k in range(reserved)] == [m.misc_word(Misc.RESERVED, 0, first // 256, 0)] * reserved
        assert m.try_get_pfn(first) == -1
    assert m["zone_free"].tolist() == m["zone_managed"].tolist() == [256 - reserved] * 2
    assert not {pfn for pfn in m.exhaust() if pfn % 256 < reserved}
