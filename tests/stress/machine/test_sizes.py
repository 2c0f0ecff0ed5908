"""From a request to a geometry: every size that is granted hangs together, every other is refused in one line."""

import pytest

from kernels.base.layout import FAMILY_TASKS, HELD_CAPACITY
from stress.errors import UserError
from stress.machine.sizes import MAX_WORKERS, MachineRequest, anon_pages_of, check_workers, derived_params, geometry_of, parse_size

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "nr_bytes"), [("256M", 256 * MIB), ("1 GiB", 1 << 30), ("1.5g", 3 << 29), ("4096", 4096), ("64kB", 65536)]
)
def test_parse_size(text, nr_bytes):
    assert parse_size(text) == nr_bytes


@pytest.mark.parametrize("text", ["", "M", "-1M", "1X", "1e9", "0x10"])
def test_parse_size_refuses(text):
    with pytest.raises(UserError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize("nr_workers", [0, -1, MAX_WORKERS + 1, 10_000_000])
def test_absurd_workers_are_refused(nr_workers):
    with pytest.raises(UserError, match="must be between 1 and"):
        check_workers(nr_workers)


@pytest.mark.parametrize("nr_workers", [1, 2, 8, 64])
@pytest.mark.parametrize("memory_bytes", [16 * MIB, 256 * MIB, 1024 * MIB])
@pytest.mark.parametrize("frame_bytes", [64, 4096])
def test_geometry_hangs_together(nr_workers, memory_bytes, frame_bytes):
    geometry = geometry_of(MachineRequest(nr_workers, 2, memory_bytes, frame_bytes, 9))
    params = derived_params(geometry)
    assert geometry.frames_per_node % (1 << geometry.pageblock_order) == 0
    assert geometry.nr_frames * frame_bytes <= memory_bytes
    assert geometry.nr_tasks % FAMILY_TASKS == 0
    assert geometry.nr_tasks >= FAMILY_TASKS * nr_workers
    assert geometry.task_pages % geometry.table_pages == 0
    assert anon_pages_of(geometry.task_pages) % geometry.table_pages == 0
    assert 1 << params["max_order_anon"] <= geometry.table_pages
    assert 1 <= params["pcp_batch"] <= params["pcp_high"]
    assert 1 <= params["balloon_target"] < HELD_CAPACITY


def test_usual_machine_is_nearly_full():
    geometry = geometry_of(MachineRequest(8, 2, 256 * MIB, 4096, 9))
    demand = geometry.nr_tasks * anon_pages_of(geometry.task_pages)
    assert 0.75 < demand / geometry.nr_frames < 0.9
    assert 0.2 < geometry.nr_files * geometry.file_pages / geometry.nr_frames < 0.3


def test_too_little_memory_says_how_much_is_needed():
    with pytest.raises(UserError, match="need 16 MiB"):
        geometry_of(MachineRequest(2, 2, MIB, 4096, 9))
