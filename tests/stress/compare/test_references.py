"""References under each scheme: which cases are measured, and in which order."""

import pytest

from stress.compare import references


class FakeForked:
    """Every pair costs 1 ns under the first scheme and 2 ns under the second."""

    def __init__(self, processors):
        self.value = None

    def set_policy(self, name, value):
        assert name == "refcount"
        self.value = value

    def ns(self, work, workers):
        asked.append((work, len(workers), self.value))
        return 1.0 + self.value


asked: list = []


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    asked.clear()
    monkeypatch.setattr(references, "Forked", FakeForked)


def test_each_scheme_is_measured_in_each_case_by_as_many_workers_as_there_are_processors():
    figures = references.figures(2, [0, 1, 2, 3], lambda _: None)
    assert [figure.name for figure in figures] == [
        "get + put, own line, 1 worker",
        "get + put, at random over 64 MiB, 1 worker",
        "get + put, own lines, 2 workers",
        "get + put, one line, 2 workers",
        "get + put, own lines, 4 workers",
        "get + put, one line, 4 workers",
    ]
    assert all(figure.rounds == {"cas": [1.0, 1.0], "frozen-bit": [2.0, 2.0]} for figure in figures)


def test_one_processor_has_no_line_to_share():
    figures = references.figures(1, [0], lambda _: None)
    assert {nr for _, nr, _ in asked} == {1}
    assert len(figures) == 2


def test_the_schemes_of_a_round_are_measured_in_the_order_that_is_drawn(monkeypatch):
    monkeypatch.setattr(references, "in_turn", lambda names: list(reversed(names)))
    references.figures(2, [0], lambda _: None)
    assert [value for work, _, value in asked if work == "hot"] == [1, 0, 1, 0]


def test_a_scheme_compared_with_itself_is_measured_twice():
    figures = references.figures(2, [0], lambda _: None, "frozen-bit")
    assert {value for _, _, value in asked} == {1}
    assert all(figure.rounds == {"frozen-bit": [2.0, 2.0], "frozen-bit again": [2.0, 2.0]} for figure in figures)
