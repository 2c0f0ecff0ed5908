"""The shadow word: only in the checked flavours."""

import pytest

from kernels.base.flavour import CHECKED
from kernels.base.layout import SH_BUDDY, SH_OWNED, Bug


@pytest.mark.skipif(not CHECKED, reason="the fast flavour has no shadow")
def test_a_frame_that_is_elsewhere_is_a_bug(machine):
    m = machine
    m.shadow_move(100, 1, SH_BUDDY, SH_OWNED)
    assert m["shadow"][100:102].tolist() == [SH_OWNED, SH_OWNED]
    assert m.expect_bug(Bug.SHADOW, lambda: m.shadow_move(99, 1, SH_BUDDY, SH_OWNED))[1:] == (100, SH_OWNED, SH_BUDDY)


@pytest.mark.skipif(not CHECKED, reason="the fast flavour has no shadow")
def test_a_double_free_is_a_bug(machine):
    m = machine
    pfn = m.alloc_frozen_pages(0, 5, 1)
    m.free_frozen_pages(pfn, 5)
    m["memdesc"][pfn] = m["memdesc"][pfn + 1]  # hide the Buddy word, which the free would see first
    m.expect_bug(Bug.SHADOW, lambda: m.free_frozen_pages(pfn, 5))


@pytest.mark.skipif(CHECKED, reason="about the fast flavour")
def test_the_fast_flavour_carries_nothing(machine):
    machine.shadow_move(100, 1, SH_OWNED, SH_BUDDY)
    assert not machine["shadow"].any()
