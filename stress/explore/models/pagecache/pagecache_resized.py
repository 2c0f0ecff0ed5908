"""Lookups of a page of a large folio while it is truncated, and read in again as a page of a larger folio.

The page is the last of a folio of two. CPU 0 truncates that folio and reads the page in as a part of a folio of four, in which the slot of
the old head is a sibling. CPU 1 loads the entry of the page's index, CPU 2 looks the page up. An entry leads to nothing or to one of the
two folios, and a folio that the lookup returns must cover the page.
"""

from kernels.alloc.release import folio_put
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_FOLIO_RANGE
from kernels.map.pagecache import load_entry
from kernels.policy.filemap import create_folio, file_truncate
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all
from stress.explore.models.pagecache._lookup import look_up

LAST = 7
SMALL, LARGE = 1, 2  # orders; the heads are at 6 and 4
SMALL_DESC, LARGE_DESC, LOADED = range(3)  # scratch: the descriptors of both folios, and the entry that CPU 1 loaded


@kernel
def read_in(mem, cpu, order):
    """Read in the folio of 2^order pages that ends with the last page.

    Returns     its descriptor, or -1
    """
    desc = create_folio(mem, cpu, 0, 0, LAST + 1 - (1 << order), order)
    if desc >= 0:
        folio_put(mem, cpu, desc)
    return desc


@kernel
def prepare(mem, cpu):
    """A folio of two pages is cached."""
    mem.scratch[SMALL_DESC] = read_in(mem, cpu, SMALL)
    mem.scratch[LARGE_DESC] = -1
    drain_all(mem)
    return 0


@kernel
def steps(mem, cpu):
    """Truncate and read in; load; look up.

    Returns     whether a folio was found, or 1
    """
    if cpu == 0:
        file_truncate(mem, cpu, 0, LAST)
        mem.scratch[LARGE_DESC] = read_in(mem, cpu, LARGE)
    elif cpu == 1:
        mem.scratch[LOADED] = load_entry(mem, 0, LAST)
    else:
        return look_up(mem, cpu, LAST)
    return 1


@kernel
def check(mem, cpu):
    """The loaded entry was empty or led to one of the two folios; the folio is dropped, so that a wrong reference count is seen."""
    desc = mem.scratch[LOADED] - 1
    if desc >= 0 and desc != mem.scratch[SMALL_DESC] and desc != mem.scratch[LARGE_DESC]:
        bug(mem, cpu, BUG_FOLIO_RANGE, -1, desc, mem.scratch[LARGE_DESC])
    drain_all(mem)
    file_truncate(mem, cpu, 0, LAST)
    return 0


MODEL = Model(
    "pagecache-resized",
    "lookups of a page of a large folio while it is truncated and read in as a part of a larger one",
    "P5, P18; I4, I10",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("pgmajfault", "spec_failed_on_zero", "met_lookup_reload_changed"),
)
