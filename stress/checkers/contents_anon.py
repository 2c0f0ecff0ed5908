"""Anonymous memory holds what its tasks wrote: its owner's stamp, every write that was counted, and no other."""

import numpy as np

from kernels.base.layout import INCARNATION_SHIFT, T_ANON, T_KSM
from stress.checkers._report import Report, checking
from stress.checkers._view import View

_COUNT_MASK = (1 << INCARNATION_SHIFT) - 1


def _check(view: View, report: Report) -> None:
    if view.has_contents:
        _check_frames(view, report)
        _check_counts(view, report)


def _check_frames(view: View, report: Report) -> None:
    """Every frame of an anonymous folio, mapped or only pinned, carries the stamp of its page and is not torn."""
    pfn = np.flatnonzero(np.isin(view.word_type, (T_ANON, T_KSM)) & (view.word_desc >= 0))
    desc = view.word_desc[pfn]
    mapping = view.wide("mapping")[desc]
    stamp = mapping << 32 | view.wide("folio_index")[desc] + pfn - view.wide("folio_pfn")[desc]
    wrong = (mapping != 0) & (view.owner[pfn] != stamp)  # without a mapping: a target left behind, which `leftovers` reports
    report.add(
        "anonymous page holds somebody else's contents", pfn=pfn[wrong], desc=desc[wrong], owner=view.owner[pfn[wrong]], wanted=stamp[wrong]
    )
    torn = (mapping != 0) & ~wrong & (view.version[pfn] != view.mirror[pfn])
    report.add(
        "page is torn: its first words and its last disagree",
        pfn=pfn[torn],
        desc=desc[torn],
        version=view.version[pfn[torn]],
        mirror=view.mirror[pfn[torn]],
    )


def _check_counts(view: View, report: Report) -> None:
    task_pages = view.param("task_pages")
    anon = view.mapped % task_pages < view.param("anon_pages")
    at, pfn = view.mapped[anon], view.mapped_pfn[anon]
    written, version = view.wide("oracle")[at] & _COUNT_MASK, view.version[pfn]
    for wrong, message in (
        (version < written, "writes of the task are missing from its memory"),
        (version > written, "memory was written more often than by its tasks"),
    ):
        report.add(
            message,
            pfn=pfn[wrong],
            space=at[wrong] // task_pages,
            vpage=at[wrong] % task_pages,
            version=version[wrong],
            written=written[wrong],
            pte=view.wide("pte")[at[wrong]],
        )


CHECKER = checking("contents_anon", ("I13",), "anonymous memory holds its owner's stamp and every write that was counted", _check)
