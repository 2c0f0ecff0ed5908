"""In which flavour a test runs. Flavours are fixed when kernels are imported, so test_explored.py starts a process for each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.base import flavour

ROOT = Path(__file__).resolve().parents[3]
EXPLORED = {"PFNSTORM_FLAVOUR": "explored"}
#: the compiled engine; the interpreted one, whose kernels Python can call and whose steps have source lines
explored = pytest.mark.skipif(
    not flavour.EXPLORED or flavour.INTERPRETED, reason="runs in the explored flavour, which test_explored.py starts"
)
interpreted = pytest.mark.skipif(
    not (flavour.EXPLORED and flavour.INTERPRETED), reason="runs in the interpreted explored flavour, which test_explored.py starts"
)
#: tests that start such processes
starts_flavours = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("PFNSTORM_FLAVOUR", "fast") != "fast", reason="starts the explored flavour"),
    pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="starts the interpreted engine itself"),
]


def clean_environment():
    """The environment without a flavour, and without settings of pytest and numba."""
    words = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTEST_", "PFNSTORM_FLAVOUR"))}
    return words | {"PYTHONPATH": str(ROOT)}


def run(*arguments, cwd=ROOT, timeout=280, **environment):
    """Run Python in a new process, in the flavour that `environment` says."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=clean_environment() | environment, capture_output=True, text=True, timeout=timeout)
