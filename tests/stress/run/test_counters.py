"""`pfnstorm list counters`: each counter has a meaning and its place, or says that no kernel counts it."""

import re

from kernels.base.layout import COUNTER_MEANINGS, COUNTERS, FAMILIES, FAMILY_FIELDS, MEETINGS, Cause, Reason, family_members
from stress.run.counters import counting_sites, listing

#: names of Linux that no kernel of the model counts
UNCOUNTED = {
    "compact_daemon_migrate_scanned", "compact_daemon_free_scanned", "numa_foreign", "nr_tlb_local_flush_one", "slabs_scanned",
}  # fmt: skip


def explained():
    """The counters of the listing, in order, and the text of each line by the name that it begins with."""
    counters, lines, prefix, members = [], {}, "", ()
    for line in listing():
        if not line.startswith(" "):
            found = re.search(r"counters (\w+_)NAME", line)
            prefix, members = found[1] if found else "", FAMILY_FIELDS.get(line.strip("{}"), ())
        elif not members:
            name, text = line.split(maxsplit=1)
            lines[prefix + name] = text
            counters += family_members(name) if name in FAMILIES else [prefix + name]
    return counters, lines


def test_every_counter_is_explained_once():
    counters, _ = explained()
    assert sorted(counters) == sorted(COUNTERS)


def test_every_counter_has_a_meaning_of_its_own():
    meanings = [*COUNTER_MEANINGS.values(), *FAMILIES.values()]
    assert all(meaning.strip() for meaning in meanings)
    assert len(set(meanings)) == len(meanings)


def test_each_meeting_names_two_sides():
    alone = {name for name in MEETINGS if not re.search(r"\b(with|two)\b", COUNTER_MEANINGS[f"met_{name}"])}
    assert alone == set()


def test_every_reason_cause_and_refusal_has_a_meaning():
    lines = listing()
    for field, members in FAMILY_FIELDS.items():
        at = lines.index("{" + field + "}")
        for member, line in zip(members, lines[at + 1 : at + 1 + len(members)], strict=True):
            assert line.split(maxsplit=1) == [member.name.lower(), member.meaning]
            assert member.meaning


def test_a_family_has_a_counter_for_each_of_its_members():
    assert family_members("migrated_{reason}") == [f"migrated_{reason.name.lower()}" for reason in Reason]
    causes = family_members("cause_{reason}_{cause}")
    assert len(causes) == len(Reason) * len(Cause)
    assert causes[:2] == ["cause_compaction_lock", "cause_compaction_writeback"]


def test_where_each_is_counted_is_read_from_the_kernels():
    _, lines = explained()
    assert {name for name, text in lines.items() if text.endswith("[no kernel counts it]")} == UNCOUNTED
    assert lines["pgalloc"].endswith("[kernels/alloc/pages.py: finish_alloc()]")
    assert "kernels/migrate/folio.py: count_cause()" in lines["cause_{reason}_{cause}"]
    assert "stress/roles/speculator.py: put_speculative()" in lines["spec_held_last_reference"]


def test_counting_is_found_in_a_source(tmp_path):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "x.py").write_text(
        "def f(mem, cpu):\n    count(mem, cpu, counter.PGFAULT, 1)\n    count(mem, cpu, C_FAILED + reason, 1)\n"
        "def g(mem, cpu):\n    count(mem, cpu, counter.PGFAULT if mem else counter.FORK, 1)\n"
    )
    sites = {name: found for name, found in counting_sites(tmp_path).items() if found}
    assert sites == {
        "pgfault": ["kernels/x.py: f(), g()"], "fork": ["kernels/x.py: g()"], "failed_compaction": ["kernels/x.py: f()"],
    }  # fmt: skip
