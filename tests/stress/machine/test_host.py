"""Limits of the host, read from fake files: cgroup v1, v2, ancestors, containers."""

import pytest

from stress.errors import HostError
from stress.machine.host import cgroup_chain, memory_headroom, require_memory, usable_cores

MIB = 1 << 20


@pytest.fixture
def proc(tmp_path):
    """A fake /proc with 1000 MiB available and no cgroups."""
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    (folder / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {1000 * 1024} kB\n")
    return folder


def add_cgroup(proc, version, path, mount, root="/"):
    controllers, kind, options = ("", "cgroup2", "rw") if version == 2 else ("memory", "cgroup", "rw,memory")
    (proc / "self/cgroup").write_text(f"{0 if version == 2 else 4}:{controllers}:{path}\n")
    (proc / "self/mountinfo").write_text(f"32 31 0:29 {root} {mount} rw - {kind} {kind} {options}\n")


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")


def test_without_cgroups_meminfo_decides(proc):
    assert memory_headroom(proc).available_bytes == 1000 * MIB
    assert memory_headroom(proc).limited_by == "MemAvailable"


def test_the_tightest_ancestor_decides_v2(proc, tmp_path):
    mount = tmp_path / "cg"
    add_cgroup(proc, 2, "/outer/inner", mount)
    write(mount / "outer", memory__max=300 * MIB, memory__current=100 * MIB, memory__stat=f"anon 1\ninactive_file {20 * MIB}")
    write(mount / "outer/inner", memory__max="max", memory__current=50 * MIB)
    room = memory_headroom(proc)
    assert room.available_bytes == 220 * MIB
    assert room.limited_by == f"limit of cgroup {mount / 'outer'}"


def test_v1_with_a_huge_number_is_no_limit(proc, tmp_path):
    mount = tmp_path / "cg"
    add_cgroup(proc, 1, "/job", mount)
    write(mount, memory__limit_in_bytes=9223372036854771712, memory__usage_in_bytes=5)
    write(mount / "job", memory__limit_in_bytes=64 * MIB, memory__usage_in_bytes=60 * MIB)
    assert memory_headroom(proc).available_bytes == 4 * MIB


def test_a_container_sees_its_cgroup_as_the_root(proc, tmp_path):
    mount = tmp_path / "cg"
    add_cgroup(proc, 1, "/docker/abc/job", mount, root="/docker/abc")
    write(mount / "job", memory__limit_in_bytes=8 * MIB, memory__usage_in_bytes=0)
    assert cgroup_chain("memory", proc)[0] == (1, mount / "job")
    assert memory_headroom(proc).available_bytes == 8 * MIB


def test_a_refusal_says_what_is_needed_what_there_is_and_who_says_so(proc, tmp_path):
    mount = tmp_path / "cg"
    add_cgroup(proc, 2, "/", mount)
    write(mount, memory__max=64 * MIB, memory__current=0)
    with pytest.raises(HostError, match=rf"needs 2 GiB, 64 MiB available \(limit of cgroup {mount}\): use a smaller --memory") as caught:
        require_memory(2 << 30, proc)
    assert caught.value.exit_code == 4


def test_a_cpu_quota_cuts_the_cores(proc, tmp_path):
    mount = tmp_path / "cg"
    add_cgroup(proc, 2, "/", mount)
    write(mount, cpu__max="100000 100000")
    assert usable_cores(proc) == 1
