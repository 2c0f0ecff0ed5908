"""`pfnstorm list`: every listing has what the registries and the layout have."""

import pytest

from kernels.base.layout import NUMBERS, POLICIES, Bug
from kernels.types.table import TYPES
from stress.checkers import all_checkers
from stress.roles import ROLES
from stress.run.listing import listing
from stress.storm.scenario import shipped_scenarios

KNOWN = {
    "roles": [role.name for role in ROLES],
    "scenarios": list(shipped_scenarios()),
    "checkers": [checker.name for checker in all_checkers().values()],
    "policies": [name for policy, values in POLICIES.items() for name in (policy, *values)] + list(NUMBERS),
}


@pytest.mark.parametrize("what", KNOWN)
def test_each_name_has_its_line_and_its_meaning(what):
    lines = listing(what)
    assert [line.split()[0] for line in lines] == KNOWN[what]
    meanings = [line.split(maxsplit=1)[1] for line in lines]
    assert len(set(meanings)) == len(meanings), "two names with one meaning"


def test_each_type_has_its_line_below_the_title():
    title, *lines = listing("types")
    assert title.split()[:3] == ["tag", "type", "moves"]
    assert [line.split()[1] for line in lines] == [row.name.split()[0] for row in TYPES]


def test_a_policy_has_its_default_and_a_number_its_bounds():
    lines = {line.split()[0]: line for line in listing("policies")}
    for name, values in POLICIES.items():
        assert lines[name].endswith(f"default {values[0]}")
    for name, (least, most, default) in NUMBERS.items():
        assert lines[name].endswith(f"; {least} to {most}, default {default}")
    assert "folios unmapped" in lines["migrate_batch"]


def test_each_code_of_bug_has_its_invariant_its_summary_and_its_two_words():
    title, *lines = listing("bugs")
    assert title.startswith("code")
    assert len(lines) == len(Bug)
    for bug, line in zip(Bug, lines, strict=True):
        assert line.split()[:3] == [str(int(bug)), bug.name, bug.invariant]
        assert bug.summary in line
        assert line.endswith(f"{bug.seen}; {bug.wanted}")
