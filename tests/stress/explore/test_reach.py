"""Which kernels a model can reach: no less than what it runs, and not everything."""

import pytest

from stress.explore.reach import reached_by, reached_from
from tests.stress.explore.flavours import ROOT, interpreted


def test_a_model_reaches_what_its_kernels_call_and_hand_on():
    reached = reached_by("refcount-cas")
    assert all(path.startswith("kernels/") for path, _ in reached)
    assert ("kernels/alloc/release.py", "try_get_pfn") in reached
    assert not any(path.startswith("kernels/migrate/") for path, _ in reached)


def test_functions_of_a_file_are_followed_through_imports():
    from stress.explore.models import all_models

    path = ROOT.joinpath(*all_models()["refcount-cas"].module.split(".")).with_suffix(".py")
    assert reached_from(path, ("check",)) < reached_from(path, ("MODEL",))
    assert reached_from(path, ("no_such_name",)) == frozenset()


@interpreted
@pytest.mark.parametrize("name", ["refcount-cas", "offline-deflate", "pagecache-removal"])
def test_every_kernel_that_makes_an_access_is_reached(engine_of, name):
    from stress.explore.models import known_models

    engine = engine_of(known_models()[name])
    engine.tasks.watching = True
    seen = set()
    for choices in ([], [0, 1] * 200, [1, 0, 0] * 200):
        engine.replay(choices, logging=True)
        for places in engine.tasks.passed.values():
            seen |= {(file, function) for frames in places for file, _, function in frames if file.startswith("kernels/")}
    assert len(seen) > 5
    assert seen <= reached_by(name)
