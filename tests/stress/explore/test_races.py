"""The race detector: what C11 orders is no race, what it does not is one, whichever store buffers there are."""

import pytest

from tests.stress.explore.flavours import explored

pytestmark = explored


@pytest.fixture(scope="module", params=["sc", "tso", "pso"])
def engine(request):
    from stress.explore.engine import Engine
    from tests.stress.explore.race_model import MODEL

    made = Engine(MODEL, request.param)
    yield made
    made.close()


def variants():
    from tests.stress.explore.race_model import VARIANTS

    return VARIANTS


@pytest.mark.parametrize("name", variants())
def test_plain_accesses_race_if_nothing_orders_them(engine, name):
    engine.put_back()
    engine.mem.arrays["scratch"][0] = tuple(variants()).index(name)
    engine.begin("dpor", 1)
    engine.explore(0, 1_000_000)
    found = engine.found()
    if variants()[name]:
        assert found is not None
        assert (found.verdict, found.code) == ("race", "contents")
        assert engine.replay(engine.choices()) == found
    else:
        from stress.explore import state

        assert found is None
        assert engine.stop == state.STOP_COMPLETE
