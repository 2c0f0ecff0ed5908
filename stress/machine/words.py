"""Words of the machine as text, named as the kernel names them; a word that makes no sense is shown as a number, never an error."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy.typing as npt

from kernels.base.layout import (
    BUDDY_ORDER_MASK,
    BUDDY_ORDER_SHIFT,
    CPU_MASK,
    CPU_SHIFT,
    DESC_SHIFT,
    M_OFFLINE,
    MAPPING_ANON,
    NONE_WORD,
    ORDER_MASK,
    ORDER_SHIFT,
    OWNER_MASK,
    OWNER_SHIFT,
    STATE_MASK,
    STATE_SHIFT,
    SUBTYPE_MASK,
    SUBTYPE_SHIFT,
    TAIL_BIT,
    TYPE_MASK,
    U_CPU_MASK,
    U_CPU_SHIFT,
    U_PFN_SHIFT,
    U_STATE_MASK,
    U_TYPE_SHIFT,
    Migratetype,
    Misc,
    Offline,
    Type,
    Udesc,
)

Arrays = Mapping[str, npt.NDArray[Any]]
WITH_DESC = (Type.FILE, Type.ANON, Type.KSM, Type.COUNTED)
WITH_UDESC = (Type.SLAB, Type.MOVABLE, Type.PAGETABLE, Type.NETPOOL)
#: PG_* names of a descriptor's flags, by bit
FLAGS = ("locked", "lru", "isolated", "dirty", "writeback", "uptodate", "batched", "referenced", "offline", "hugetlb", "huge_free")


def value_text(word: int) -> str:
    """A number; large ones in hexadecimal."""
    return str(word) if abs(word) < 1 << 16 else hex(word)


def name_of(names: type[IntEnum], number: int) -> str:
    """The name of a number; the number if it has none, as in a word that a bug wrote."""
    try:
        return names(number).name
    except ValueError:
        return str(number)


def memdesc_text(word: int) -> str:
    """A memdesc word: its type, and its descriptor, order or state."""
    kind = word & TYPE_MASK
    if word == NONE_WORD:
        return "NONE"
    if kind in WITH_DESC or kind in WITH_UDESC:
        return f"{Type(kind).name} desc {word >> DESC_SHIFT}"
    if kind == Type.BUDDY:
        return f"BUDDY order {word >> BUDDY_ORDER_SHIFT & BUDDY_ORDER_MASK}"
    if kind == Type.MISC and word >> SUBTYPE_SHIFT & SUBTYPE_MASK == M_OFFLINE:
        if word & TAIL_BIT:
            return f"OFFLINE tail, order {word >> ORDER_SHIFT & ORDER_MASK}"
        state = name_of(Offline, word >> STATE_SHIFT & STATE_MASK)
        isolator = f" by cpu {word >> CPU_SHIFT & CPU_MASK}" if state == Offline.ISOLATED.name else ""
        return f"OFFLINE {state}{isolator}, balloon {word >> OWNER_SHIFT & OWNER_MASK}"
    if kind == Type.MISC:
        tail = " tail" if word & TAIL_BIT else ""
        return f"MISC {name_of(Misc, word >> SUBTYPE_SHIFT & SUBTYPE_MASK)}{tail}, order {word >> ORDER_SHIFT & ORDER_MASK}"
    return f"{name_of(Type, kind)} {value_text(word >> DESC_SHIFT)}"


def flags_text(flags: int) -> str:
    """The names of a descriptor's flags, as /proc/kpageflags has them."""
    named = [name for bit, name in enumerate(FLAGS) if flags >> bit & 1]
    left = flags & ~((1 << len(FLAGS)) - 1)
    return "|".join([*named, *([hex(left)] if left else [])]) or "none"


def mapping_text(mapping: int, index: int) -> str:
    """A folio's mapping: anonymous memory of a family of tasks, or a file."""
    if mapping == 0:
        return "no mapping"
    owner = (mapping >> 1) - 1
    return f"anonymous, task {owner}, page {index}" if mapping & MAPPING_ANON else f"file {owner}, page {index}"


def desc_text(arrays: Arrays, desc: int) -> str:
    """A descriptor with a count: what it covers, its counts, flags and mapping."""
    if not 0 <= desc < len(arrays["refcount"]):
        return f"descriptor {desc}: there is none"
    word = {
        name: int(arrays[name][desc]) for name in ("folio_pfn", "folio_order", "folio_type", "refcount", "mapcount", "pincount", "flags")
    }
    counts = f"refcount {value_text(word['refcount'])}, mapcount {word['mapcount']}, pincount {word['pincount']}"
    covers = f"{name_of(Type, word['folio_type'])} folio of order {word['folio_order']} at pfn {word['folio_pfn']}"
    mapping = mapping_text(int(arrays["mapping"][desc]), int(arrays["folio_index"][desc]))
    return f"descriptor {desc}: {covers}; {counts}; flags {flags_text(word['flags'])}; {mapping}"


def udesc_text(arrays: Arrays, desc: int) -> str:
    """A descriptor without a count: its state, its frame, and its isolator."""
    if not 0 <= desc < len(arrays["u_word"]):
        return f"uncounted descriptor {desc}: there is none"
    word = int(arrays["u_word"][desc])
    state = name_of(Udesc, word & U_STATE_MASK)
    isolator = f" by cpu {word >> U_CPU_SHIFT & U_CPU_MASK}" if state == Udesc.ISOLATED.name else ""
    kind = name_of(Type, word >> U_TYPE_SHIFT & TYPE_MASK)
    return (
        f"uncounted descriptor {desc}: {kind} at pfn {word >> U_PFN_SHIFT}, {state}{isolator}; "
        f"owner {int(arrays['u_owner'][desc])}, {int(arrays['u_inuse'][desc])} objects in use"
    )


def pageblock_text(arrays: Arrays, pfn: int, pageblock_order: int) -> str:
    """The pageblock of a frame: its number and migratetype."""
    block = pfn >> pageblock_order
    return f"pageblock {block} ({name_of(Migratetype, int(arrays['block_migratetype'][block]))})"
