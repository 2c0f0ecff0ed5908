"""The order within a round."""

import random
from collections import Counter

from stress.compare.turns import in_turn, names_of


def test_every_order_is_equally_likely():
    random.seed(3)
    drawn = Counter(tuple(in_turn(["a", "b", "c"])) for _ in range(6000))
    assert len(drawn) == 6
    assert 880 < min(drawn.values()) <= max(drawn.values()) < 1120, "1000 each, with a standard deviation of 29"


def test_each_value_has_its_name_and_a_twin_has_two():
    assert names_of(("a", "b"), None) == {"a": "a", "b": "b"}
    assert set(names_of(("a", "b"), "b").values()) == {"b"}
    assert len(names_of(("a", "b"), "b")) == 2
