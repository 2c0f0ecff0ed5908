"""Memdesc words as records, packed and unpacked bit by bit: slow, obvious, and no code shared with kernels/page/memdesc.py.

An oracle imports only the layout. A record says what a word means; `pack` and `unpack` are inverse to each other on every record.
"""

from dataclasses import dataclass

from kernels.base import layout as at

FOLIOS = frozenset({at.Type.FILE, at.Type.ANON, at.Type.KSM})
WITH_COUNT = FOLIOS | {at.Type.COUNTED}
WITH_DESCRIPTOR = WITH_COUNT | {at.Type.SLAB, at.Type.MOVABLE, at.Type.PAGETABLE, at.Type.NETPOOL}


@dataclass(frozen=True)
class DescWord:
    """A frame of an object with a descriptor, counted or not."""

    kind: at.Type
    desc: int


@dataclass(frozen=True)
class BuddyWord:
    """The first frame of a free block."""

    order: int


@dataclass(frozen=True)
class MiscWord:
    """A frame without a descriptor; `state`, `cpu` and `owner` mean something in the head of an Offline block."""

    subtype: at.Misc
    order: int = 0
    node: int = 0
    tail: bool = False
    state: at.Offline = at.Offline.PRIVATE
    cpu: int = 0
    owner: int = 0


Word = DescWord | BuddyWord | MiscWord

NONE = MiscWord(at.Misc.NONE)


def put(value: int, first_bit: int, nr_bits: int) -> int:
    """A value as bits of a word.

    Raises      ValueError if it does not fit
    """
    if not 0 <= value < 2**nr_bits:
        raise ValueError(f"{value} does not fit {nr_bits} bits")
    return value * 2**first_bit


def get(word: int, first_bit: int, nr_bits: int) -> int:
    return word // 2**first_bit % 2**nr_bits


def pack(what: Word) -> int:
    """The word of a frame."""
    if isinstance(what, DescWord):
        if what.kind not in WITH_DESCRIPTOR:
            raise ValueError(f"{what.kind!r} has no descriptor")
        return put(what.kind, 0, 4) + put(what.desc, 4, 59)
    if isinstance(what, BuddyWord):
        return put(at.Type.BUDDY, 0, 4) + put(what.order, 4, 6)
    return (
        put(at.Type.MISC, 0, 4)
        + put(what.subtype, 4, 7)
        + put(what.order, 12, 6)
        + put(int(what.tail), 18, 1)
        + put(what.state, 19, 3)
        + put(what.cpu, 22, 16)
        + put(what.node, 38, 10)
        + put(what.owner, 48, 15)
    )


def unpack(word: int) -> Word:
    """What a word means.

    Raises      ValueError for a type without a record, and for an unknown subtype or state
    """
    if word < 0:
        raise ValueError(f"{word} has its sign bit set")
    kind = at.Type(get(word, 0, 4))
    if kind in WITH_DESCRIPTOR:
        return DescWord(kind, get(word, 4, 59))
    if kind == at.Type.BUDDY:
        return BuddyWord(get(word, 4, 6))
    if kind != at.Type.MISC:
        raise ValueError(f"{kind!r} has no record")
    return MiscWord(
        subtype=at.Misc(get(word, 4, 7)),
        order=get(word, 12, 6),
        node=get(word, 38, 10),
        tail=bool(get(word, 18, 1)),
        state=at.Offline(get(word, 19, 3)),
        cpu=get(word, 22, 16),
        owner=get(word, 48, 15),
    )


def is_counted(word: int) -> bool:
    return get(word, 0, 4) in WITH_COUNT


def is_folio(word: int) -> bool:
    return get(word, 0, 4) in FOLIOS


def is_offline_head(word: int) -> bool:
    return get(word, 0, 4) == at.Type.MISC and get(word, 4, 7) == at.Misc.OFFLINE and get(word, 18, 1) == 0
