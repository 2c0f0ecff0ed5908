"""The type table: what each memdesc tag and each Misc subtype is, whether it moves, and why not.

Models      kernelnewbies MatthewWilcox/Memdescs, revision B; tag 11 is the counted allocation of today's alloc_pages()
Differs     a row is a statement about this model: `none here` means that nothing in it writes such a word
Invariants  I7: a type that moves has its transitions in kernels/types and one line in each chain of kernels/migrate/movable.py (folios
            have kernels/migrate/folio.py); a test holds the rows to those files
No behaviour: kernels do not import this, `pfnstorm list types` prints it.
"""

from dataclasses import dataclass

from kernels.base.layout import Misc, Type


@dataclass(frozen=True)
class Row:
    """One tag of the memdesc word, or one subtype of Misc.

    home     the module of kernels/ with its transitions; empty: none here
    data     what the rest of the word holds: a descriptor's index, or inline data
    counted  whether a speculative reference on it can succeed
    movable  whether range migration moves it
    why      how it moves, or why it does not
    """

    name: str
    tag: Type
    subtype: Misc | None
    home: str
    data: str
    counted: bool
    movable: bool
    why: str


def _tag(tag: Type, home: str, data: str, counted: bool, movable: bool, why: str) -> Row:
    return Row(tag.name.lower(), tag, None, home, data, counted, movable, why)


def _misc(subtype: Misc, home: str, movable: bool, why: str) -> Row:
    return Row(f"misc.{subtype.name.lower()}", Type.MISC, subtype, home, "inline: subtype, order, node", False, movable, why)


#: every tag in the order of its number, the subtypes of Misc after it
TYPES: tuple[Row, ...] = (
    _tag(Type.MISC, "page.memdesc", "inline: subtype, order, node", False, False, "see its subtypes"),
    _misc(Misc.RESERVED, "policy.boot", False, "the firmware's or the kernel image's: its place is fixed"),
    _misc(Misc.ZERO, "", False, "none here"),
    _misc(Misc.UNKNOWN, "alloc.pages", False, "a driver's: its address may be held anywhere"),
    _misc(Misc.VMALLOC, "alloc.pages", False, "its address is mapped for the kernel, which may use it at any time without a fault"),
    _misc(Misc.GUARD, "", False, "none here"),
    _misc(Misc.OFFLINE, "types.offline", True, "one word, compare-and-exchange; its place in the balloon is re-pointed, nothing is copied"),
    _misc(Misc.KMALLOC_LARGE, "alloc.pages", False, "the kernel holds its address in the linear map"),
    _misc(Misc.EXACT, "", False, "none here"),
    _misc(Misc.BRD, "", False, "none here"),
    _misc(Misc.NONE, "page.memdesc", False, "no owner: on a per-CPU list, in a free block, or between two owners"),
    _misc(Misc.NOT_ONLINE, "policy.hotplug", False, "of a memory block that is offline: it has no contents"),
    _tag(Type.BUDDY, "alloc.buddy", "inline: order", False, False, "free: a target of migrations"),
    _tag(Type.FILE, "types.folios", "descriptor", True, True, "a folio: frozen while its place in the page cache is re-pointed"),
    _tag(Type.ANON, "types.folios", "descriptor", True, True, "a folio: its PTEs are migration entries during the migration"),
    _tag(Type.KSM, "policy.ksm", "descriptor", True, True, "a folio, read-only: its PTEs are migration entries during the migration"),
    _tag(
        Type.SLAB,
        "types.slab",
        "descriptor",
        False,
        False,
        "users have plain pointers to its objects; empty ones are given back under pressure",
    ),
    _tag(
        Type.MOVABLE,
        "types.zspage",
        "descriptor",
        False,
        True,
        "a zspage: handles of its objects are re-pointed under pool, class and zspage lock",
    ),
    _tag(
        Type.PAGETABLE, "types.pagetable", "descriptor", False, True, "its upper entry is re-pointed, the frame freed after a grace period"
    ),
    _tag(Type.NETPOOL, "types.netpool", "descriptor", False, False, "a device writes to it, by its bus address"),
    _tag(Type.HWPOISON, "policy.hwpoison", "inline", False, False, "the frame is broken; its contents have been moved away"),
    _tag(Type.PERCPU, "alloc.pages", "inline", False, False, "every CPU has its address in a register"),
    _tag(
        Type.COUNTED,
        "alloc.release",
        "descriptor",
        True,
        False,
        "alloc_pages() without __GFP_COMP, whose owner has its address; hugetlb folios, which are dissolved instead",
    ),
)
