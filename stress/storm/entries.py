"""The compiled entries of a storm: which modules declare them, and their build."""

from kernels.policy import boot
from stress import roles
from stress.process.build import build_entries, entries_of

#: packages in which every entry is declared that a storm, a comparison or a test may call
ENTRY_PACKAGES = ("kernels", roles.__name__)
#: the modules whose entries every storm calls
STORM_MODULES = (boot.__name__, roles.__name__)


def build_storm_entries(*more: str) -> None:
    """Build what a storm calls.

    Parameters  more: imported modules whose entries are needed, too
    Raises      HostError
    """
    build_entries(entries_of((*STORM_MODULES, *more)))
