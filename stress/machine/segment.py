"""The segment: one sparse memfd whose header has the length of each array. It has no name and disappears with its last process.

Each array has 64 GiB (or 32 MiB) of address space (layout.ARRAY_START), of which only the used range is allocated. That is done
immediately and after a check against every limit: a page that is unavailable later means SIGBUS or the OOM killer.
"""

import fcntl
import mmap
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.base.layout import (
    ALLOCATOR_BITFIELD,
    ARRAY_START,
    ARRAYS,
    BITFIELD_MAX_ORDER,
    FIELDS,
    LENGTHS_WORD,
    NR_ZS_CLASSES,
    NUMBERS,
    PARAM,
    SEGMENT_BYTES,
    Geometry,
)
from stress.errors import HostError, UserError
from stress.io.arrays import read_arrays
from stress.io.text import size_text
from stress.machine.host import memory_headroom, require_memory
from stress.machine.hugepages import HUGE_PAGE_BYTES, collapse, whole_huge_pages

_PAGE_BYTES = mmap.PAGESIZE
_MAP_TRIES = 3  # a second one finds the address of the first
#: The segment begins at a multiple of this, so that all address bits that index a processor's caches and predictors are the same in every
#: run. With random addresses, in one run of ten, lines evicted each other all the time: an allocate + free took 20 ns instead of 8 ns.
BASE_ALIGN = 1 << 36
#: not saved by default: large, and a diagnosis rarely needs it
BULKY = frozenset({"contents"})


def array_lengths(geometry: Geometry) -> list[int]:
    """How many records each array has on a machine of this geometry."""
    return [spec.length(geometry) for spec in ARRAYS]  # type: ignore[operator]  # layout declares it `object`


def _check_ranges(lengths: list[int]) -> None:
    for spec, length in zip(ARRAYS, lengths, strict=True):
        if length * spec.stride > spec.bytes_max:
            limit = size_text(spec.bytes_max)
            raise UserError(f"array {spec.name} would need {size_text(length * spec.stride)}, {limit} is the most: use a smaller machine")


def segment_bytes(geometry: Geometry) -> int:
    """How much memory a machine of this geometry occupies, all arrays rounded up to pages."""
    used = (length * spec.stride for spec, length in zip(ARRAYS, array_lengths(geometry), strict=True))
    # one more page each, since arrays do not begin on page boundaries
    return sum((-(-size // _PAGE_BYTES) + 1) * _PAGE_BYTES for size in used)


def lock_params(geometry: Geometry) -> dict[str, int]:
    """The first lock of each class; zone locks begin at 0."""
    g = geometry
    lru = g.nr_nodes
    pcp = lru + 2 * g.nr_nodes
    ptl = pcp + g.nr_cpus * g.nr_nodes
    i_pages = ptl + g.nr_tables
    balloon = i_pages + g.nr_files
    desc = balloon + g.nr_cpus
    udesc = desc + 1
    huge = udesc + 1
    zs_pool = huge + 1
    zs_class = zs_pool + g.nr_nodes
    slab = zs_class + g.nr_nodes * NR_ZS_CLASSES
    lru_batch = slab + g.nr_nodes
    table = lru_batch + g.nr_cpus
    if table + g.nr_uppers != g.nr_locks:
        raise AssertionError(f"layout counts {g.nr_locks} locks, machine numbers {table + g.nr_uppers}")
    return {
        "lock_lru": lru,
        "lock_pcp": pcp,
        "lock_ptl": ptl,
        "lock_i_pages": i_pages,
        "lock_balloon": balloon,
        "lock_desc": desc,
        "lock_udesc": udesc,
        "lock_huge": huge,
        "lock_zs_pool": zs_pool,
        "lock_zs_class": zs_class,
        "lock_slab": slab,
        "lock_lru_batch": lru_batch,
        "lock_table": table,
    }


def geometry_params(geometry: Geometry) -> dict[str, int]:
    """Every header parameter that follows from the sizes alone."""
    names = [name for name in PARAM if hasattr(geometry, name)]
    return {name: int(getattr(geometry, name)) for name in names} | lock_params(geometry)


def describe_lock(params: Mapping[str, int], lock: int) -> str:
    """The name of a lock: "zone lock of node 0"."""
    p = params
    if lock < p["lock_lru"]:
        return f"zone lock of node {lock}"
    if lock < p["lock_pcp"]:
        nid, is_file = divmod(lock - p["lock_lru"], 2)
        return f"{'file' if is_file else 'anon'} lru lock of node {nid}"
    if lock < p["lock_ptl"]:
        cpu, nid = divmod(lock - p["lock_pcp"], p["nr_nodes"])
        return f"pcp lock of cpu {cpu} node {nid}"
    if lock < p["lock_i_pages"]:
        task, table = divmod(lock - p["lock_ptl"], p["task_pages"] // p["table_pages"])
        return f"page-table lock of task {task} table {table}"
    if p["lock_zs_class"] <= lock < p["lock_slab"]:
        pool, klass = divmod(lock - p["lock_zs_class"], NR_ZS_CLASSES)
        return f"zsmalloc lock of node {pool} class {klass}"
    for first, end, text in (
        ("lock_i_pages", "lock_balloon", "i_pages lock of file {}"),
        ("lock_balloon", "lock_desc", "balloon lock of cpu {}"),
        ("lock_desc", "lock_udesc", "descriptor pool lock"),
        ("lock_udesc", "lock_huge", "pool lock of descriptors without a count"),
        ("lock_huge", "lock_zs_pool", "hugetlb lock"),
        ("lock_zs_pool", "lock_zs_class", "zsmalloc pool lock of node {}"),
        ("lock_slab", "lock_lru_batch", "slab lock of node {}"),
        ("lock_lru_batch", "lock_table", "lru batch lock of cpu {}"),
        ("lock_table", "nr_locks", "lock of upper page-table entry {}"),
    ):
        if p[first] <= lock < p[end]:
            return text.format(lock - p[first])
    return f"folio lock of descriptor {lock - p['nr_locks']}"  # see folio_lock() in kernels/page/folio.py


# ------------------------------------------------------------------------------------------------------------ the segment


def _open_segment() -> int:
    if not hasattr(os, "memfd_create"):
        raise HostError("this system has no memfd_create: pfnstorm needs Linux 3.17 or newer")
    try:
        descriptor = os.memfd_create("pfnstorm", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        raise HostError(f"cannot create a memfd: {error.strerror}") from error
    try:
        os.ftruncate(descriptor, SEGMENT_BYTES + BASE_ALIGN + HUGE_PAGE_BYTES)
    except OSError as error:
        os.close(descriptor)
        raise HostError(f"cannot make a sparse segment of {size_text(SEGMENT_BYTES)}: {error.strerror} (see ulimit -f)") from error
    return descriptor


def _allocate(descriptor: int, offset: int, address: int, lengths: list[int]) -> None:
    for slot, (spec, length) in enumerate(zip(ARRAYS, lengths, strict=True)):
        if length:
            try:
                _allocate_range(descriptor, offset + ARRAY_START[slot], address + ARRAY_START[slot], length * spec.stride)
            except OSError as error:
                raise HostError(f"cannot allocate {size_text(length * spec.stride)} for {spec.name}: {error.strerror}") from error
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)


def _allocate_range(descriptor: int, offset: int, address: int, nr_bytes: int) -> None:
    """Allocate a range of the file that is mapped at `address`: whole huge pages where the kernel grants them."""
    first, last = whole_huge_pages(address, address + nr_bytes)
    for page in range(first, last, HUGE_PAGE_BYTES):  # the collapse fills a hole faster than fallocate does
        os.posix_fallocate(descriptor, page - address + offset, _PAGE_BYTES)
    collapse(first, last - first)
    os.posix_fallocate(descriptor, offset, nr_bytes)  # what is still missing


def _map(descriptor: int) -> tuple[memoryview, int, int]:
    """The segment at a multiple of BASE_ALIGN, its offset in the file, and its address, both at the same place of a huge page."""
    offset = 0
    try:
        for _ in range(_MAP_TRIES):
            mapped = mmap.mmap(descriptor, SEGMENT_BYTES + BASE_ALIGN, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)
            address = np.frombuffer(mapped, np.uint8, count=1).ctypes.data
            if (address - offset) % HUGE_PAGE_BYTES == 0:
                break
            offset = address % HUGE_PAGE_BYTES  # the kernel chooses the same address again
    except (OSError, ValueError, OverflowError) as error:
        raise HostError(
            f"cannot map {size_text(SEGMENT_BYTES)} of address space: {error}: raise the limit with ulimit -v unlimited"
        ) from error
    # otherwise the core dump of a worker walks terabytes of holes
    mapped.madvise(mmap.MADV_DONTDUMP)
    base = -address % BASE_ALIGN
    return memoryview(mapped)[base : base + SEGMENT_BYTES], offset + base, address + base


def create_machine(geometry: Geometry, params: Mapping[str, int]) -> Any:
    """A fresh machine, zero except for its header: a kernels.base.memory.Memory.

    Parameters  params: values of layout.PARAMS beyond those that follow from the geometry
    Raises      HostError if the host cannot hold it, UserError if no host could
    """
    if params.get("policy_allocator") == ALLOCATOR_BITFIELD and geometry.pageblock_order > BITFIELD_MAX_ORDER:
        raise UserError(
            f"allocator=bitfield: a bitfield has {1 << BITFIELD_MAX_ORDER} bits, so that pageblock_order is {BITFIELD_MAX_ORDER} at most "
            f"(is {geometry.pageblock_order})"
        )
    from kernels.base.memory import Memory  # late: importing kernels fixes their flavour

    lengths = array_lengths(geometry)
    require_memory(segment_bytes(geometry))
    _check_ranges(lengths)
    descriptor = _open_segment()
    try:
        mapped, offset, address = _map(descriptor)
        _allocate(descriptor, offset, address, lengths)
    finally:
        os.close(descriptor)  # the mapping keeps the memory
    header = np.frombuffer(mapped, np.int64, count=len(PARAM))
    defaults = {name: default for name, (*_, default) in NUMBERS.items()}
    for name, value in {**defaults, **geometry_params(geometry), **params}.items():
        header[PARAM[name]] = value
    np.frombuffer(mapped, np.int64, count=LENGTHS_WORD + len(ARRAYS))[LENGTHS_WORD:] = lengths
    return Memory(mapped)


def set_param(mem: Any, name: str, value: int) -> None:
    """Change a parameter of a machine that does not run yet. Compiled kernels read the header, interpreted ones the attribute."""
    mem.header[PARAM[name]] = value
    setattr(mem, name, value)


def read_params(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, int]:
    """All parameters of a live or loaded machine."""
    return {name: int(arrays["header"][word]) for name, word in PARAM.items()}


def calibrate_cycles(mem: Any, read_cycles: Any, window_ns: int = 20_000_000) -> int:
    """Cycles of the processor's constant-rate counter per microsecond, measured against the clock; at least 1."""
    read_cycles(mem, 0)  # load the entry outside of the measured window
    start_ns, start_cycles = time.perf_counter_ns(), int(read_cycles(mem, 0))
    while time.perf_counter_ns() - start_ns < window_ns:
        pass
    elapsed_cycles, elapsed_ns = int(read_cycles(mem, 0)) - start_cycles, time.perf_counter_ns() - start_ns
    return max(1, round(elapsed_cycles * 1000 / elapsed_ns))


# -------------------------------------------------------------------------------------------------------- after the storm


def save_machine(mem: Any, path: Path, *, with_contents: bool = False) -> None:
    """Write the used ranges of all fields to an .npz, atomically.

    Raises      OSError if the file cannot be written
    """
    kept = {name: array for name, array in mem.arrays.items() if with_contents or name not in BULKY}
    temporary = path.with_name(path.name + ".tmp")
    try:
        # level 1: most of a machine is zero, and a run that broke must end within seconds
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in kept.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.ascontiguousarray(array))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_machine(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The fields of a saved machine; fields that were not saved have length 0.

    Raises      UserError if the file is not a saved machine of this version's layout
    """
    fields = read_arrays(path, tuple(FIELDS), "a saved machine", memory_headroom().available_bytes)
    if "header" not in fields or set(FIELDS) - set(fields) - BULKY:
        raise UserError(f"{path}: not a saved machine of this version: its fields differ from kernels/base/layout.py")
    return {name: fields.get(name, np.zeros(0, np.int64)) for name in FIELDS}
