"""The memdesc word: what a frame is, in eight bytes.

Models      struct page { unsigned long memdesc; } (kernelnewbies MatthewWilcox/Memdescs, revision B)
Differs     a descriptor is an index, not a pointer; tag 11 (unassigned there) is the counted allocation of today's
            alloc_pages(), which revision B has no word for
Invariants  I6: a word is written after the data it announces and retired before that data is freed; F-1
These are pure functions of a word. page/folio.py and kernels/types say which CPU may write a word, and when.
"""

from kernels.base.jit import kernel
from kernels.base.layout import (
    BUDDY_ORDER_MASK,
    BUDDY_ORDER_SHIFT,
    CPU_MASK,
    CPU_SHIFT,
    DESC_SHIFT,
    M_OFFLINE,
    NODE_SHIFT,
    ORDER_MASK,
    ORDER_SHIFT,
    OWNER_MASK,
    OWNER_SHIFT,
    STATE_MASK,
    STATE_SHIFT,
    SUBTYPE_MASK,
    SUBTYPE_SHIFT,
    T_ANON,
    T_BUDDY,
    T_COUNTED,
    T_FILE,
    T_KSM,
    T_MISC,
    TAIL_BIT,
    TYPE_MASK,
)


@kernel
def word_type(word):
    """The type of a word (layout.Type).

    Progress    wait-free
    """
    return word & TYPE_MASK


@kernel
def is_counted(word):
    """Whether a word leads to a descriptor with a reference count, so that try_get on it is meaningful.

    Progress    wait-free
    """
    kind = word & TYPE_MASK
    return kind == T_FILE or kind == T_ANON or kind == T_KSM or kind == T_COUNTED


@kernel
def is_folio(word):
    """Whether a word leads to a folio: file, anonymous or KSM memory.

    Progress    wait-free
    """
    kind = word & TYPE_MASK
    return kind == T_FILE or kind == T_ANON or kind == T_KSM


@kernel
def desc_word(kind, desc):
    """The word of each frame of the object that descriptor `desc` describes.

    Progress    wait-free
    """
    return kind | desc << DESC_SHIFT


@kernel
def word_desc(word):
    """The descriptor that a word of a descriptor type leads to.

    Progress    wait-free
    """
    return word >> DESC_SHIFT


@kernel
def buddy_word(order):
    """The word of the first frame of a free block; its other frames carry NONE_WORD.

    Progress    wait-free
    """
    return T_BUDDY | order << BUDDY_ORDER_SHIFT


@kernel
def buddy_order(word):
    """The order in a Buddy word; clamp it if it was read without zone->lock.

    Progress    wait-free
    """
    return word >> BUDDY_ORDER_SHIFT & BUDDY_ORDER_MASK


@kernel
def misc_word(subtype, order, nid, tail):
    """A word of type Misc: no descriptor, no count.

    Parameters  subtype: layout.Misc; tail: 1 for frames after the first of a block
    Progress    wait-free
    """
    return T_MISC | subtype << SUBTYPE_SHIFT | order << ORDER_SHIFT | tail * TAIL_BIT | nid << NODE_SHIFT


@kernel
def word_order(word):
    """The order in a word of type Misc.

    Progress    wait-free
    """
    return word >> ORDER_SHIFT & ORDER_MASK


@kernel
def is_offline_head(word):
    """Whether a word is the head of an Offline block: type, subtype and no tail bit.

    Progress    wait-free
    """
    return word & (TYPE_MASK | SUBTYPE_MASK << SUBTYPE_SHIFT | TAIL_BIT) == T_MISC | M_OFFLINE << SUBTYPE_SHIFT


@kernel
def offline_state(word):
    """The state of an Offline head word (layout.Offline).

    Progress    wait-free
    """
    return word >> STATE_SHIFT & STATE_MASK


@kernel
def offline_owner(word):
    """The balloon that owns an Offline block.

    Progress    wait-free
    """
    return word >> OWNER_SHIFT & OWNER_MASK


@kernel
def with_state(word, state, cpu):
    """An Offline head word moved to another state; `cpu` is the isolator, and matters only in ISOLATED and TRANSIT.

    Progress    wait-free
    """
    cleared = word & ~(STATE_MASK << STATE_SHIFT | CPU_MASK << CPU_SHIFT)
    return cleared | state << STATE_SHIFT | cpu << CPU_SHIFT
