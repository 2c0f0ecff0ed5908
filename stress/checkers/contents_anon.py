"""Each page of anonymous memory has its owner's stamp and as many writes as its tasks made, no fewer and no more.

Checks      I13 (docs/invariants.md)
Linux       __migrate_folio(), mm/migrate.c: the copy after the check of the count; do_wp_page(), copy_present_ptes(), mm/memory.c
"""

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
    """Every frame of an anonymous folio, mapped or only pinned, has the stamp of its page and is not torn."""
    pfn = np.flatnonzero(np.isin(view.word_type, (T_ANON, T_KSM)) & (view.word_desc >= 0))
    desc = view.word_desc[pfn]
    mapping = view.wide("mapping")[desc]
    stamp = mapping << 32 | view.wide("folio_index")[desc] + pfn - view.wide("folio_pfn")[desc]
    wrong = (mapping != 0) & (view.owner[pfn] != stamp)  # without a mapping: a leftover target, which `leftovers` reports
    report.add(
        "anonymous page has another owner's stamp", pfn=pfn[wrong], desc=desc[wrong], owner=view.owner[pfn[wrong]], wanted=stamp[wrong]
    )
    torn = (mapping != 0) & ~wrong & (view.version[pfn] != view.mirror[pfn])
    report.add(
        "page is torn: the version in its first words differs from the mirror in its last word",
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
        (version < written, "anonymous page lost writes: it has fewer than its tasks made"),
        (version > written, "anonymous page has stray writes: it has more than its tasks made"),
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


CHECKER = checking(
    "contents_anon", ("I13",), "each anonymous page has its owner's stamp and exactly the writes that its tasks made", _check
)
