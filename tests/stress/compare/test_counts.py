"""Atomics and cache lines: how they are attributed to stages, and that a policy changes what is done."""

import functools
import subprocess

import pytest

from stress.compare import counts
from stress.compare.windows import FOLIO, FOLIOS
from stress.errors import HostError


def test_a_stage_gets_what_happens_between_its_begin_and_its_end():
    tally = counts.AccessTally()
    tally.atomics, tally.lines = 7, [1, 1]  # before the stage
    begin = tally.begin(None)
    tally.atomics += 2
    tally.lines += [4, 5, 4]
    following = tally.end(None, 0, 3, begin)
    tally.atomics += 1
    tally.lines += [9]
    tally.end(None, 0, 5, following)
    assert dict(tally.stage_atomics) == {3: 2, 5: 1}
    assert dict(tally.stage_accesses) == {3: 3, 5: 1}
    assert dict(tally.stage_lines) == {3: {4, 5}, 5: {9}}


def test_a_stage_that_runs_twice_counts_a_line_once():
    tally = counts.AccessTally()
    for line in (4, 4, 6):
        begin = tally.begin(None)
        tally.lines.append(line)
        tally.end(None, 0, 3, begin)
    assert tally.stage_lines[3] == {4, 6}
    assert tally.stage_accesses[3] == 3


def test_counting_that_fails_is_an_error_of_one_line(monkeypatch):
    def fails(*words, **_):
        return subprocess.CompletedProcess(words, 1, stdout="", stderr="Traceback ...\nMemoryError: too much\n")

    monkeypatch.setattr(counts.subprocess, "run", fails)
    with pytest.raises(HostError, match="counting by interpretation failed: MemoryError: too much"):
        counts.counts("migration")


# ----------------------------------------------------------------------------------------------------------------- counted


@functools.cache
def counted(axis="migration"):
    return counts.counts(axis)


@pytest.mark.slow
def test_an_offline_block_needs_no_descriptor_by_bitmap_and_one_by_list():
    by_value = counted()["offline, 512 of 512"]
    lines = {value: sum(stage["lines"] for stage in stages.values()) for value, stages in by_value.items()}
    assert lines["list"] - lines["bitmap"] > 1


@pytest.mark.slow
def test_a_folio_costs_the_same_atomics_by_either():
    by_value = counted()["anon, 512 of 512"]
    atomics = {value: sum(stage["atomics"] for stage in stages.values()) for value, stages in by_value.items()}
    assert atomics["list"] == pytest.approx(atomics["bitmap"], abs=0.2)
    assert atomics[FOLIOS] < atomics["list"], "NUMA balancing starts from a mapping and needs no speculative reference"
    assert atomics[FOLIO] > atomics[FOLIOS], "a flush each"


@pytest.mark.slow
def test_an_offline_frame_without_a_count_costs_the_fewest_atomics():
    (by_value,) = counted("offline").values()
    atomics = {value: sum(stage["atomics"] for stage in stages.values()) for value, stages in by_value.items()}
    assert atomics["none"] < atomics["zero"] < atomics["counted"]


@pytest.mark.slow
def test_only_the_bitmap_scans_before_it_isolates():
    for load, by_value in counted().items():
        assert by_value["bitmap"]["scan"]["accesses"] > 0, load
        assert by_value["list"]["scan"]["accesses"] == 0, load
