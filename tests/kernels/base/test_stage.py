"""Cycles of the stages of a migration, when they are timed."""

import numpy as np
import pytest

from kernels.base.layout import Mode, Reason
from kernels.base.stage import NR_STAGES, STAGE_COPY, STAGE_MOVE, STAGES
from stress.machine.segment import set_param


def test_stages_follow_one_another_and_add_up(machine):
    m = machine.on(1)
    set_param(m.mem, "timing", 1)
    begin = m.stage_begin()
    middle = m.stage_end(0, begin)
    end = m.stage_end(1, middle)
    again = m.stage_end(0, end)
    spent = m["stage_cycles"].reshape(-1, NR_STAGES)
    assert spent[1, :2].tolist() == [middle - begin + again - end, end - middle]
    assert spent.sum() == again - begin > 0


def test_nothing_is_timed_unless_asked_for(machine):
    m = machine
    assert m.stage_begin() == m.stage_end(0, 0) == 0
    assert not m["stage_cycles"].any()


@pytest.mark.parametrize("interface", [0, 1], ids=["bitmap", "list"])
def test_every_stage_of_a_migration_is_timed(machine, interface):
    """One folio moves, another is put back; a copy is a part of its move."""
    m = machine
    set_param(m.mem, "timing", 1)
    set_param(m.mem, "policy_migration", interface)
    pfns = [m.touch(0, vpage) for vpage in (8, 9)]
    m.lru_add_drain()
    desc = m.desc_at(pfns[1])
    m["mapcount"][desc] += 1  # the hint of a pin is passed, the exact count is not
    m.ref_get(desc, 1)
    assert m.migrate_window(pfns[0] & ~7, 8, Mode.ASYNC, Reason.CONTIG_RANGE, 1) == 1
    m["mapcount"][desc] -= 1
    m.folio_put(desc)
    spent = m["stage_cycles"].reshape(-1, NR_STAGES)
    untimed = {STAGES[k] for k in np.flatnonzero(spent[0, : len(STAGES)] == 0)}
    assert untimed == ({"scan"} if interface else set()), "the list is scanned and isolated in one pass"
    assert spent[0, STAGE_COPY] <= spent[0, STAGE_MOVE]
    assert not spent[1:].any()
