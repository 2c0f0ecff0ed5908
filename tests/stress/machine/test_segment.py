"""The segment: header, numbering of locks, refusal of what does not fit, saving."""

import numpy as np
import pytest

from kernels.base.layout import ARRAYS, FIELDS, LENGTHS_WORD, PARAM, Geometry
from stress.errors import HostError, UserError
from stress.machine import segment as machine
from stress.machine.segment import (
    create_machine,
    describe_lock,
    geometry_params,
    load_machine,
    read_params,
    save_machine,
    set_param,
)

SMALL = Geometry(nr_cpus=2, frames_per_node=512, words_per_frame=8, nr_tasks=4, task_pages=64, table_pages=16, nr_files=3, file_pages=16)


@pytest.fixture(scope="module")
def mem():
    return create_machine(SMALL, {"seed": 7})


def test_header_says_how_long_each_array_is(mem):
    for slot, spec in enumerate(ARRAYS):
        assert mem.header[LENGTHS_WORD + slot] == spec.length(SMALL)
    assert read_params(mem.arrays)["seed"] == mem.seed == 7
    assert mem.nr_frames == SMALL.nr_frames


def test_a_fresh_machine_is_zero_but_for_its_header(mem):
    assert not any(array.any() for name, array in mem.arrays.items() if name != "header")


def test_set_param_changes_header_and_attribute(mem):
    set_param(mem, "cycles_per_us", 2450)
    assert mem.cycles_per_us == mem.header[PARAM["cycles_per_us"]] == 2450


def test_more_than_there_is_is_refused_before_anything_is_taken(monkeypatch):
    monkeypatch.setattr(machine, "_open_segment", lambda: pytest.fail("took memory"))
    with pytest.raises(HostError, match=r"needs .* GiB, .* available"):
        create_machine(Geometry(frames_per_node=1 << 40), {})


def test_an_array_beyond_its_address_range_is_refused(monkeypatch):
    monkeypatch.setattr(machine, "require_memory", lambda nr_bytes: None)
    with pytest.raises(UserError, match="array contents would need"):
        create_machine(Geometry(frames_per_node=1 << 24), {})


def test_every_lock_has_one_name():
    params = geometry_params(SMALL)
    names = [describe_lock(params, lock) for lock in range(SMALL.nr_locks)]
    assert len(set(names)) == SMALL.nr_locks
    assert names[0] == "zone lock of node 0"
    assert names[params["lock_lru"] + 3] == "file lru lock of node 1"
    assert names[params["lock_pcp"] + 3] == "pcp lock of cpu 1 node 1"
    assert names[params["lock_ptl"] + 5] == "page-table lock of task 1 table 1"
    assert names[params["lock_i_pages"]] == "i_pages lock of file 0"
    assert names[params["lock_balloon"] + 1] == "balloon lock of cpu 1"
    assert names[params["lock_desc"]] == "descriptor pool lock"
    assert names[params["lock_udesc"]] == "pool lock of descriptors without a count"
    assert names[params["lock_huge"]] == "hugetlb lock"
    assert names[params["lock_zs_class"] + 5] == "zsmalloc lock of node 1 class 1"
    assert names[-1] == f"lock of upper page-table entry {SMALL.nr_uppers - 1}"


def test_saved_and_loaded_again(mem, tmp_path):
    mem.arrays["memdesc"][5] = 1234
    mem.arrays["refcount"][3] = -2
    path = tmp_path / "machine.npz"
    save_machine(mem, path)
    fields = load_machine(path)
    assert set(fields) == set(FIELDS)
    assert fields["memdesc"][5] == 1234
    assert fields["refcount"][3] == -2
    assert len(fields["contents"]) == 0
    assert read_params(fields) == read_params(mem.arrays)
    assert [each.name for each in tmp_path.iterdir()] == ["machine.npz"]


def test_contents_are_saved_when_asked_for(mem, tmp_path):
    save_machine(mem, tmp_path / "machine.npz", with_contents=True)
    assert len(load_machine(tmp_path / "machine.npz")["contents"]) == SMALL.nr_frames * SMALL.words_per_frame


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no more", b"text"])
def test_what_is_not_a_machine_is_refused(tmp_path, content):
    path = tmp_path / "machine.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a saved machine"):
        load_machine(path)


def test_another_layout_is_refused(tmp_path):
    np.savez(tmp_path / "machine.npz", header=np.zeros(512, np.int64))
    with pytest.raises(UserError, match="fields differ"):
        load_machine(tmp_path / "machine.npz")
