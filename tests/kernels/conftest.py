"""Fixtures of the kernel tests: the entry is built once for all workers of a run, machines are made per test."""

import io

import pytest

from tests.kernels import entries, kit


@pytest.fixture(scope="session")
def built():
    from stress.process.build import build_entries

    build_entries([entries.do.name, "kernels.policy.boot.boot"], out=io.StringIO())


@pytest.fixture
def machine(built):
    """A small booted machine, audited after the test unless the test broke it on purpose."""
    m = kit.make_machine()
    yield m
    if not m["halt"][0]:
        kit.audit(m)
