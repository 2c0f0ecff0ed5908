"""A role's step fails only with the errnos of its docstring; if memory is short, each that may return -ENOMEM does."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stress import roles

pytestmark = pytest.mark.slow  # starts a process, which interprets the kernels

ROOT = Path(__file__).resolve().parents[3]
STEPS = 12  # of each role in each round


def documented(role):
    """The errnos in the Returns line of a role's step."""
    line = re.search(r"^ *Returns +(.*)$", role.step.__doc__, re.MULTILINE)
    return set(re.findall(r"-(E[A-Z]+)", line[1]))


@pytest.fixture(scope="module")
def returned():
    """What each role returned below 0."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTEST_", "PFNSTORM_FLAVOUR"))}
    command = [sys.executable, "-m", "tests.stress.roles.results", str(STEPS)]
    done = subprocess.run(command, cwd=ROOT, env=clean | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("role", roles.ROLES, ids=lambda role: role.name)
def test_a_step_fails_as_documented(returned, role):
    errnos = {errno.errorcode.get(-result, str(result)) for result in returned[role.name]}
    assert errnos <= documented(role), f"role {role.name}"
    assert ("ENOMEM" in errnos) == ("ENOMEM" in documented(role)), f"role {role.name} on a machine with too little memory"
