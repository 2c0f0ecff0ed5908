"""Engines that are closed at the end of a test."""

import pytest


@pytest.fixture
def engine_of():
    from stress.explore.engine import Engine

    made = []

    def make(*arguments, **options):
        made.append(Engine(*arguments, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
