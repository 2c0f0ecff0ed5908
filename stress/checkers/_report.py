"""What a checker reports: the first violations in full, and the number of the others."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from stress.checkers import Arrays, Checker, Violation
from stress.checkers._view import Bools, Ints, View

SHOWN = 16  # violations in full; the others are only counted, since one broken frame may break thousands

Body = Callable[[View, "Report"], None]


class Report:
    """The violations that one checker collects in one check."""

    def __init__(self, checker: str, invariant: str) -> None:
        self._checker, self._invariant = checker, invariant
        self._found: list[Violation] = []
        self._left_out = 0

    def add(
        self,
        message: str,
        pfn: npt.NDArray[np.int64] | None = None,
        cpus: npt.NDArray[np.int64] | None = None,
        invariant: str = "",
        where: Bools | Ints | slice = slice(None),
        **words: npt.NDArray[np.int64],
    ) -> None:
        """Add one violation for each element that `where` selects. All arrays given have the same length."""
        words = {name: values[where] for name, values in words.items()}
        pfn = None if pfn is None else pfn[where]
        cpus = None if cpus is None else cpus[where]
        columns = [each for each in (pfn, cpus, *words.values()) if each is not None]
        nr_found = len(columns[0])
        nr_shown = min(nr_found, max(0, SHOWN - len(self._found)))
        self._left_out += nr_found - nr_shown
        self._found += [
            Violation(
                invariant or self._invariant,
                self._checker,
                pfn=-1 if pfn is None else int(pfn[k]),
                cpus=() if cpus is None else (int(cpus[k]),),
                words={name: int(values[k]) for name, values in words.items()},
                message=message,
            )
            for k in range(nr_shown)
        ]

    def say(self, message: str) -> None:
        """Add one violation that belongs to no frame and no CPU."""
        self.add(message, pfn=np.array([-1]))

    def violations(self) -> list[Violation]:
        if self._left_out == 0:
            return self._found
        return [*self._found, Violation(self._invariant, self._checker, message=f"and {self._left_out} more")]


def checking(name: str, invariants: tuple[str, ...], summary: str, body: Body, *, needs_header: bool = True) -> Checker:
    """Make the record of a checker.

    Parameters  invariants: of docs/invariants.md; a violation that names none breaks the first
                body: reads a view and adds to a report; not called if the header is invalid, which `bounds` reports
    """

    def check(arrays: Arrays) -> list[Violation]:
        view = arrays if isinstance(arrays, View) else View(arrays)
        report = Report(name, invariants[0])
        if not view.complaints or not needs_header:
            body(view, report)
        return report.violations()

    return Checker(name, invariants, summary, check)


def folio_pfn(view: View, desc: Ints) -> Ints:
    """The first frame of descriptors, as a report names it."""
    return view.wide("folio_pfn")[desc]
