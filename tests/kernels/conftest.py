"""Fixtures of the kernel tests: the entry is built once for all workers of a run, machines are made per test."""

import io

import pytest

from kernels.base.layout import ALLOCATOR_BITFIELD
from tests.kernels import entries, kit


def pytest_configure(config):
    config.addinivalue_line("markers", "meets(*names): the test reaches these meetings, as the counters of its machine must show")


@pytest.fixture(scope="session")
def built():
    from stress.process.build import build_entries

    build_entries([entries.do.name, "kernels.policy.boot.boot"], out=io.StringIO())


@pytest.fixture
def machine(built, request):
    """A small booted machine; it must reach the meetings that the test promises, and is audited unless the test broke it on purpose."""
    yield from lent(request, kit.make_machine())


@pytest.fixture
def bits(built, request):
    """The same under allocator = bitfield."""
    yield from lent(request, kit.make_machine(policy_allocator=ALLOCATOR_BITFIELD))


def lent(request, m):
    yield m
    promised = [name for mark in request.node.iter_markers("meets") for name in mark.args]
    missed = [name for name in promised if m.counter(f"met_{name}") == 0]
    assert not missed, f"the test does not reach {missed}"
    if not m["halt"][0]:
        kit.audit(m)
