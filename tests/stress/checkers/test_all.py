"""All checkers together: silent on a sound machine, and without an exception on any broken one; every message is proved."""

import time

import numpy as np
import pytest

from kernels.base import layout as at
from kernels.base.layout import FIELDS
from stress.checkers import all_checkers, check_all
from stress.checkers._report import SHOWN, Report
from tests.stress.checkers import test_bitfields, test_frames, test_lists_of_frames, test_mappings, test_objects, test_uncounted

pytestmark = pytest.mark.slow

#: (checker, invariant, part of a message) of every corruption
PROVED = set().union(
    *(module.CASES.proved for module in (test_frames, test_objects, test_mappings, test_lists_of_frames, test_uncounted, test_bitfields))
)


class Machine:
    """What check_all needs of a Memory."""

    def __init__(self, arrays):
        self.arrays = arrays


def test_a_used_machine_is_clean(used):
    assert check_all(Machine(used)) == []


def test_the_used_machine_has_something_of_everything(view):
    """So that the silence of the checkers means something."""
    assert view.live.sum() > 100
    assert len(view.mapped) > 50
    assert (view.cache_desc >= 0).sum() > 20
    for entries in (
        view.pcp,
        view.held,
        view.balloon,
        view.pins,
        view.cached_descs,
        view.slab_objects,
        view.recycled,
        view.poisoned,
        view.huge_pool,
        view.huge_held,
    ):
        assert len(entries.at) > 0
    assert view["isolated_block"].any()
    assert set(view["held_kind"][view.held.at]) == {0, 1, 2, 3, 4}
    assert {at.T_MOVABLE, at.T_PAGETABLE, at.T_SLAB, at.T_PERCPU, at.T_NETPOOL, at.T_HWPOISON} <= set(view.word_type)
    assert {at.M_RESERVED, at.M_NOT_ONLINE} <= set(view.subtype[view.is_misc])
    assert len(view.contig.at) > 0


def test_a_machine_without_contents_is_clean(arrays):
    arrays["contents"] = np.zeros(0, np.int64)
    assert check_all(Machine(arrays)) == []


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_garbage_in_one_field_never_raises(arrays, name, rng):
    array = arrays[name]
    limits = np.iinfo(array.dtype)
    array[:] = rng.integers(limits.min, limits.max, len(array), dtype=array.dtype)
    check_all(Machine(arrays))


@pytest.mark.parametrize("bits", [3, 12, 20, 40])
@pytest.mark.parametrize("seed", range(4))
def test_garbage_everywhere_is_a_violation(arrays, bits, seed):
    """Small values are indices of other things; large ones are out of range."""
    rng = np.random.default_rng(seed)
    for name, array in arrays.items():
        if name != "header":
            array[:] = rng.integers(0, 1 << min(bits, 8 * array.itemsize - 1), len(array)).astype(array.dtype)
    started = time.monotonic()
    assert check_all(Machine(arrays))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("seed", range(20))
def test_single_flipped_bits_never_raise(arrays, seed):
    rng = np.random.default_rng(seed)
    for name, array in arrays.items():
        if len(array) and name != "header":
            array[rng.integers(len(array))] ^= array.dtype.type(1) << rng.integers(8 * array.itemsize - 1)
    assert check_all(Machine(arrays))


def test_many_violations_are_counted_not_listed(arrays):
    arrays["memdesc"][:] = 0
    for checker in all_checkers().values():
        violations = checker.check(arrays)
        assert len(violations) <= SHOWN + 1
        assert all(each.checker == checker.name for each in violations)
        assert {each.invariant for each in violations} <= set(checker.invariants)
    assert any("more" in each.message for each in all_checkers()["inventories"].check(arrays))


def test_names_are_file_names():
    assert all(name == checker.name for name, checker in all_checkers().items())


def test_every_checker_is_proved_for_each_of_its_invariants():
    proved = {(checker, invariant) for checker, invariant, _ in PROVED}
    assert proved == {(name, invariant) for name, checker in all_checkers().items() for invariant in checker.invariants}


def test_every_message_is_proved(arrays, used_bits, monkeypatch):
    """A checker passes each of its messages to Report.add, with nothing to report on a sound machine."""
    known, add = set(), Report.add

    def note(report, message, *values, **words):
        known.add((report._checker, message))
        add(report, message, *values, **words)

    monkeypatch.setattr(Report, "add", note)
    for checker in all_checkers().values():
        checker.check(arrays)
        checker.check(used_bits)
    missing = {(name, text) for name, text in known if not any(name == checker and part in text for checker, _, part in PROVED)}
    assert len(known) > 150
    assert not missing, "no corruption in tests/stress/checkers makes a checker say this"
