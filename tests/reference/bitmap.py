"""The bitmap of 512 as a set of positions: slow, obvious, and no code shared with kernels/base/bitmap.py."""

from collections.abc import Iterable

from kernels.base.layout import BITMAP_WORDS, WINDOW_FRAMES

_WORD_BITS = WINDOW_FRAMES // BITMAP_WORDS


class Bitmap:
    """Positions 0..511, each set or clear."""

    def __init__(self, positions: Iterable[int] = ()):
        self._set: set[int] = set()
        for position in positions:
            self.set(position)

    @staticmethod
    def _check(position: int) -> int:
        if not 0 <= position < WINDOW_FRAMES:
            raise IndexError(position)
        return position

    def set(self, position: int) -> None:
        self._set.add(self._check(position))

    def clear(self, position: int) -> None:
        self._set.discard(self._check(position))

    def clear_all(self) -> None:
        self._set.clear()

    def test(self, position: int) -> bool:
        return self._check(position) in self._set

    def next_set(self, start: int) -> int:
        """The first set position at `start` or above, or 512."""
        return min((position for position in self._set if position >= start), default=WINDOW_FRAMES)

    def weight(self) -> int:
        return len(self._set)

    def positions(self) -> list[int]:
        return sorted(self._set)

    def words(self) -> list[int]:
        """As in memory: signed words, lowest positions first."""
        words = [0] * BITMAP_WORDS
        for position in self._set:
            words[position // _WORD_BITS] += 2 ** (position % _WORD_BITS)
        return [word - 2**_WORD_BITS if word >= 2 ** (_WORD_BITS - 1) else word for word in words]

    @classmethod
    def from_words(cls, words: Iterable[int]) -> "Bitmap":
        return cls(k * _WORD_BITS + bit for k, word in enumerate(words) for bit in range(_WORD_BITS) if word % 2**_WORD_BITS // 2**bit % 2)
