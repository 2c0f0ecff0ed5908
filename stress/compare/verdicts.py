"""What the rows of a comparison show: a sign test of each row's ratios, corrected for the rows that are judged together.

The chance that one or more of the rows of a group are wrongly called better is at most ALPHA, whatever the noise of the host: the values of
a round are measured in random order (turns.py), so if they do not differ, each round's ratio is above or below 1 with equal chance.

Source      Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6 (1979)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stress.measure.ratio import LEVEL, Figure, coverage, rounds_for, sign_p

ALPHA = 0.05
FLOOR = 0.02  # a smaller effect is no reason to prefer a value
NO_DIFFERENCE, TOO_SMALL, NO_BASE, TOO_SHORT = (
    "no difference shown",
    f"differs by less than {100 * FLOOR:g} %",
    "no base",
    "storms too short",
)
_FEWEST_FOR_LEVEL = rounds_for(1 - LEVEL)


@dataclass(frozen=True)
class RowGroup:
    """Figures that are measured in the same rounds and judged together.

    Fields      title: what is measured; base: the value to which the others are compared; rounds_factor: the command's --rounds for one
                round of this group; too_short: why no row is judged, or empty
    """

    title: str
    figures: Sequence[Figure]
    base: str
    rounds_factor: int = 1
    too_short: str = ""

    @property
    def nr_rounds(self) -> int:
        return max((len(rounds) for figure in self.figures for rounds in figure.rounds.values()), default=0)

    @property
    def nr_judged(self) -> int:
        """The rows that have a ratio, one for each value that is not the base."""
        return len(self._p_values())

    @property
    def rounds_needed(self) -> int:
        """The fewest rounds that can show a difference in one row of so many."""
        return rounds_for(ALPHA / max(1, self.nr_judged))

    def verdicts(self) -> dict[tuple[str, str], str]:
        """(name of a figure, value) -> what the rounds show, in words; for every value but the base."""
        rows = [(figure, value) for figure in self.figures for value in figure.rounds if value != self.base]
        different = self._different()
        return {(figure.name, value): self._verdict(figure, value, different) for figure, value in rows}

    def coverage_text(self) -> str:
        """The rounds, and the coverage of an interval of them."""
        return f"{self.nr_rounds} rounds, {percent(coverage(self.nr_rounds))} intervals"

    def notes(self) -> list[str]:
        """What a reader of the table must know."""
        covered, factor = coverage(self.nr_rounds), self.rounds_factor
        lines = [f"  {self.coverage_text()}; a ratio is the median of the rounds' ratios, which is not the quotient of the two medians"]
        if covered < LEVEL:
            lines.append(f"  {percent(LEVEL)} intervals need {_FEWEST_FOR_LEVEL} rounds: --rounds {_FEWEST_FOR_LEVEL * factor}")
        if self.contradictions():
            lines.append("  * the ratio and the quotient of the two medians are on different sides of 1")
        if self.too_short:
            lines.append(f"  no conclusions: {self.too_short}")
        if self.nr_rounds < self.rounds_needed:
            needed = self.rounds_needed
            lines.append(f"  no conclusions: {self.nr_judged} rows judged together need {needed} rounds: --rounds {needed * factor}")
        elif not self.too_short:
            test = f"a sign test at {percent(ALPHA)} for all {self.nr_judged} rows together (Holm)"
            lines.append(f'  "better" takes {test} and a difference of {percent(FLOOR)} or more')
        return lines

    def contradictions(self) -> set[tuple[str, str]]:
        """The rows in which the ratio and the quotient of the medians disagree on the direction."""
        rows = [(figure, value) for figure in self.figures for value in figure.rounds if value != self.base]
        return {(figure.name, value) for figure, value in rows if figure.contradicts_medians(value, self.base)}

    def _p_values(self) -> dict[tuple[str, str], float]:
        found = {}
        for figure in self.figures:
            for value in figure.rounds:
                ratios = figure.ratios(value, self.base) if value != self.base else None
                if ratios is not None:
                    found[figure.name, value] = sign_p(ratios)
        return found

    def _different(self) -> set[tuple[str, str]]:
        """The rows that differ from 1, by Holm's method."""
        p_values = sorted(self._p_values().items(), key=lambda row: row[1])
        different = set()
        for number, (row, p_value) in enumerate(p_values):
            if p_value > ALPHA / (len(p_values) - number):
                break
            different.add(row)
        return different

    def _verdict(self, figure: Figure, value: str, different: set[tuple[str, str]]) -> str:
        ratio = figure.ratio(value, self.base)
        if ratio is None:
            return NO_BASE
        if self.too_short:
            return TOO_SHORT
        if self.nr_rounds < self.rounds_needed:
            return f"needs {self.rounds_needed} rounds"
        if (figure.name, value) not in different:
            return NO_DIFFERENCE
        if 1 / (1 + FLOOR) < ratio.median < 1 + FLOOR:
            return TOO_SMALL
        return f"{value if (ratio.median > 1) == figure.more_is_better else self.base} better"


def percent(share: float) -> str:
    """A share in a table or a picture, with at most one decimal."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"
