import mmap

import numpy as np
import pytest

from stress.machine import hugepages
from stress.machine.hugepages import HUGE_PAGE_BYTES, collapse, collapse_heap, whole_huge_pages


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 3, (0, 3)), (1, 4, (1, 4)), (0.5, 2.5, (1, 2)), (0.5, 1.5, (1, 1)), (0, 0, (0, 0))],
)
def test_only_whole_huge_pages_are_covered(start, end, expected):
    pages = tuple(int(page * HUGE_PAGE_BYTES) for page in (start, end))
    assert whole_huge_pages(*pages) == tuple(page * HUGE_PAGE_BYTES for page in expected)


def test_an_empty_range_is_not_collapsed():
    assert not collapse(0, 0)


def test_a_collapse_keeps_the_contents():
    memory = np.frombuffer(mmap.mmap(-1, 3 * HUGE_PAGE_BYTES, mmap.MAP_PRIVATE), np.int64)
    memory[:] = np.arange(len(memory))
    first, last = whole_huge_pages(memory.ctypes.data, memory.ctypes.data + memory.nbytes)
    collapse(first, last - first)
    assert np.array_equal(memory, np.arange(len(memory)))


def test_the_heap_is_collapsed_range_by_range(monkeypatch):
    asked = []
    monkeypatch.setattr(hugepages, "collapse", lambda address, nr_bytes: asked.append((address, nr_bytes)))
    collapse_heap()
    assert asked
    assert all(address % HUGE_PAGE_BYTES == 0 and nr_bytes % HUGE_PAGE_BYTES == 0 for address, nr_bytes in asked)
