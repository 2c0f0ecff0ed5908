"""How a checker is proved: one thing of a sound machine is broken by hand, and a violation must name it."""

import numpy as np
import pytest

from kernels.base import layout as at
from stress.checkers import all_checkers


class Cases:
    """The cases of one test file: functions that break `arrays`, given a view of the sound machine.

    A case returns nothing, or the pfn that the violation must name.
    """

    def __init__(self):
        self.params = []

    def breaks(self, checker, invariant, message):
        """Register a case: `checker` must report it as a violation of `invariant` with `message` in its message."""

        def register(case):
            self.params.append(pytest.param(checker, invariant, message, case, id=f"{checker}-{case.__name__}"))
            return case

        return register

    def parametrize(self, test):
        return pytest.mark.parametrize(("checker", "invariant", "message", "case"), self.params)(test)

    def expect(self, arrays, view, checker, invariant, message, case):
        pfn = case(arrays, view)
        violations = [each for each in all_checkers()[checker].check(arrays) if message in each.message]
        assert violations
        assert {each.invariant for each in violations} == {invariant}
        assert pfn is None or int(pfn) in [each.pfn for each in violations]

    @property
    def proved(self):
        """What is proved here: (checker, invariant, part of a message)."""
        return {param.values[:3] for param in self.params}


def anon_folio(view):
    """A live, mapped anonymous folio of one page."""
    return np.flatnonzero(view.live & (view["folio_type"] == at.T_ANON) & (view["mapcount"] > 0) & (view["folio_order"] == 0))[0]


def cached_folio(view):
    """A clean folio of the page cache."""
    return np.flatnonzero(view.live & (view["folio_type"] == at.T_FILE) & (view["mapping"] != 0) & (view["flags"] & at.FL_DIRTY == 0))[0]


def anon_pte(view):
    """Place and frame of a writable PTE of anonymous memory."""
    pte = view["pte"][view.mapped] & (at.PTE_WRITE | at.PTE_PROTNONE)
    k = np.flatnonzero((view.mapped % view.param("task_pages") < view.param("anon_pages")) & (pte == at.PTE_WRITE))[0]
    return view.mapped[k], view.mapped_pfn[k]


def counted_block(view):
    """The descriptor of a counted allocation."""
    return np.flatnonzero(view.live & (view["folio_type"] == at.T_COUNTED) & ~view.hugetlb)[0]


def stamp_at(view, pfn, word):
    """The place of a word of a frame's contents."""
    return pfn * view.param("words_per_frame") + word
