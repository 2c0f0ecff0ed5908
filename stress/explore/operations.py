"""Operations and words as people and failure files name them: "cas_acquire lock_word[1]"."""

from kernels.base import points
from kernels.base.atomics import ORDER_NUMBER
from kernels.base.layout import ARRAY_START, FIELDS
from stress.explore.state import FLUSH_OP

_ORDERS = {number: name for name, number in ORDER_NUMBER.items()}
_BY_PLACE = sorted(((ARRAY_START[slot], name) for name, (slot, *_) in FIELDS.items()), reverse=True)


def word_at(offset: int) -> str:
    """The word at an offset of the segment: "refcount[3]"."""
    start = next(begin for begin, _ in _BY_PLACE if begin <= offset)
    for begin, name in _BY_PLACE:
        _, _, stride, at = FIELDS[name]
        if begin == start and (offset - start - at) % stride == 0:
            return f"{name}[{(offset - start - at) // stride}]"
    return f"+{offset - start}"


def word_name(op: int, offset: int) -> str:
    """The word that a step is about; "" if there is none."""
    if offset == 0:
        return ""
    if op & points.KIND_MASK != FLUSH_OP:
        name = points.FIELD_NAMES[op >> points.FIELD_SHIFT]
        slot, _, stride, at = FIELDS[name]
        return f"{name}[{(offset - ARRAY_START[slot] - at) // stride}]"
    return word_at(offset)


def signature(op: int, offset: int) -> str:
    """What a step does, without its values: an edit of the kernels that changes a schedule shows here."""
    kind = op & points.KIND_MASK
    if kind == FLUSH_OP:
        return f"flush {word_name(op, offset)}"
    order = _ORDERS.get(op >> points.ORDER_SHIFT & points.ORDER_MASK)
    name = points.KIND_NAMES[kind] + (f"_{order}" if order else "")
    return f"{name} {word_name(op, offset)}".rstrip()
