"""The code of tasks: compiled once, and refused where a kernel returns nothing."""

import io

import pytest

from stress.errors import UserError
from tests.stress.explore.flavours import explored

pytestmark = explored


def test_a_model_that_returns_nothing_does_not_compile():
    from stress.explore.compiling import build_models
    from tests.stress.explore.bounds_model import FORGETFUL

    with pytest.raises(UserError, match="model forgetful does not compile") as caught:
        build_models([FORGETFUL], io.StringIO())
    assert "return an integer on every path" in str(caught.value)


def test_the_code_of_a_model_is_compiled_once():
    from kernels.base import points
    from stress.explore.tasks import compiled_task
    from tests.stress.explore.bounds_model import MODEL, SPINNING

    points.provide_state()
    assert compiled_task(MODEL) == compiled_task(MODEL)
    assert compiled_task(MODEL) != compiled_task(SPINNING)
