"""What the host grants: memory under every limit, processors under every quota, and its description for results.

Inside a cgroup limit an allocation that does not fit gets SIGKILL, not an error. So the limits of every ancestor are read before
anything is allocated.
"""

import importlib.metadata
import os
import platform
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from stress.errors import HostError
from stress.io.text import size_text

_UNLIMITED_BYTES = 1 << 60  # cgroup v1 writes "no limit" as a huge number


@dataclass(frozen=True)
class Headroom:
    """Memory that may still be taken, and which limit allows no more."""

    available_bytes: int
    limited_by: str


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:  # absent in this kernel, cgroup version or container: there is no such limit
        return None


def _read_number(path: Path) -> int | None:
    text = _read(path)
    if text is None or text.strip() == "max":
        return None
    value = int(text)
    return None if value >= _UNLIMITED_BYTES else value


def _stat_value(path: Path, key: str) -> int:
    for line in (_read(path) or "").splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def meminfo_available(proc: Path = Path("/proc")) -> int:
    """MemAvailable in bytes."""
    for line in (_read(proc / "meminfo") or "").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise HostError("cannot read MemAvailable from /proc/meminfo: pfnstorm needs Linux with /proc mounted")


def _mounted_cgroups(proc: Path) -> list[tuple[str, str, Path]]:
    """(controllers or "" for v2, root inside the hierarchy, mount point) of every mounted cgroup hierarchy."""
    found = []
    for line in (_read(proc / "self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        fields, tail = left.split(), right.split()
        if tail and tail[0] == "cgroup2":
            found.append(("", fields[3], Path(fields[4])))
        elif tail and tail[0] == "cgroup":
            found.append((tail[2], fields[3], Path(fields[4])))
    return found


def cgroup_chain(controller: str, proc: Path = Path("/proc")) -> list[tuple[int, Path]]:
    """(cgroup version, folder) of this process's cgroup and every visible ancestor, for one controller."""
    chain: list[tuple[int, Path]] = []
    for line in (_read(proc / "self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for options, root, mount in _mounted_cgroups(proc):
            if (options == "") != (controllers == "") or (options and controller not in options.split(",")):
                continue
            # a container may see only a part of the hierarchy: the mount's root replaces the beginning of the path
            inside = path[len(root) :] if root != "/" and path.startswith(root) else path
            folder = mount / inside.lstrip("/")
            version = 2 if controllers == "" else 1
            chain += [(version, step) for step in (folder, *folder.parents) if step.is_relative_to(mount) and step.is_dir()]
    return chain


def memory_headroom(proc: Path = Path("/proc")) -> Headroom:
    """The least of MemAvailable and what every memory cgroup above this process still allows; RLIMIT_AS is not read."""
    least = Headroom(meminfo_available(proc), "MemAvailable")
    for version, folder in cgroup_chain("memory", proc):
        names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        limit, usage = (_read_number(folder / name) for name in names)
        if limit is None or usage is None:
            continue
        # clean page cache counts as usage, but the kernel reclaims it
        reclaimable = _stat_value(folder / "memory.stat", "inactive_file" if version == 2 else "total_inactive_file")
        room = max(0, limit - usage + reclaimable)
        if room < least.available_bytes:
            least = Headroom(room, f"limit of cgroup {folder}")
    return least


def require_memory(nr_bytes: int, proc: Path = Path("/proc")) -> None:
    """Raise HostError unless `nr_bytes` fit below every limit."""
    room = memory_headroom(proc)
    if nr_bytes > room.available_bytes:
        raise HostError(
            f"needs {size_text(nr_bytes)}, {size_text(room.available_bytes)} available ({room.limited_by}): "
            "use a smaller --memory or fewer --workers"
        )


def require_processes(nr_processes: int, remedy: str = "use fewer --workers") -> None:
    """Raise HostError if this user may not start so many processes.

    Parameters  remedy: for the message
    """
    limits = [(resource.getrlimit(resource.RLIMIT_NPROC)[0], "ulimit -u")]
    limits += [(int(text), path) for path in ("/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max") if (text := _read(Path(path)))]
    limits += [
        (value, f"limit of cgroup {folder}")
        for _, folder in cgroup_chain("pids")
        if (value := _read_number(folder / "pids.max")) is not None
    ]
    for limit, name in limits:
        if limit != resource.RLIM_INFINITY and nr_processes >= limit:
            raise HostError(f"needs {nr_processes} processes, {limit} allowed ({name}): {remedy}")


def usable_cpus() -> list[int]:
    """The processors on which this process may run."""
    return sorted(os.sched_getaffinity(0))


def usable_cores(proc: Path = Path("/proc")) -> int:
    """How many processors this process may keep busy: its affinity, limited by every cgroup quota; at least 1."""
    cores = float(len(usable_cpus()))
    for version, folder in cgroup_chain("cpu", proc):
        if version == 2:
            quota, _, period = (_read(folder / "cpu.max") or "max 1").strip().partition(" ")
        else:
            quota, period = ((_read(folder / f"cpu.cfs_{name}_us") or "-1").strip() for name in ("quota", "period"))
        if quota not in ("max", "-1") and int(period) > 0:
            cores = min(cores, int(quota) / int(period))
    return max(1, int(cores))


def _cpu_model() -> str:
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe_host() -> dict[str, object]:
    """The host as a result describes it."""
    return {
        "cpu": _cpu_model(),
        "machine": platform.machine(),
        "cores": usable_cores(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "numba": importlib.metadata.version("numba"),
        "numpy": importlib.metadata.version("numpy"),
    }
