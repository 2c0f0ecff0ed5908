"""`pfnstorm list`: every listing has what the registries and the layout have."""

import pytest

from kernels.base.layout import COUNTERS, NUMBERS, POLICIES
from kernels.types.table import TYPES
from stress.checkers import all_checkers
from stress.roles import ROLES
from stress.run.listing import listing
from stress.storm.scenario import shipped_scenarios

KNOWN = {
    "roles": [role.name for role in ROLES],
    "scenarios": list(shipped_scenarios()),
    "checkers": [checker.name for checker in all_checkers().values()],
    "policies": [*POLICIES, *NUMBERS],
    "counters": list(COUNTERS),
}


@pytest.mark.parametrize("what", KNOWN)
def test_each_name_has_its_line(what):
    assert [line.split()[0] for line in listing(what)] == KNOWN[what]


def test_each_type_has_its_line_below_the_title():
    title, *lines = listing("types")
    assert title.split()[:3] == ["tag", "type", "moves"]
    assert [line.split()[1] for line in lines] == [row.name.split()[0] for row in TYPES]


def test_a_number_has_its_range_and_default():
    assert any(line.split() == ["migrate_batch", "1..512,", "default", "512"] for line in listing("policies"))
