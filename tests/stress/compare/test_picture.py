"""The picture of a comparison."""

import pytest

from stress.compare.picture import _draw, plot
from stress.compare.verdicts import RowGroup
from stress.measure.ratio import Figure


@pytest.mark.slow
def test_the_shaded_side_is_the_better_one_and_conclusions_are_filled():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from matplotlib.collections import PolyCollection

    rounds = {"a": [1.0] * 9, "b": [2.0] * 9}
    noisy = Figure("noise", "ns", {"a": [1.0] * 9, "b": [0.5, 2.0] * 4 + [1.0]})
    group = RowGroup("quiet", [Figure("cost", "ns", rounds), Figure("speed", "1/s", rounds, more_is_better=True), noisy], "a")
    chart, panel = pyplot.subplots()
    _draw(panel, "axis", [group])
    shaded = [each.get_paths()[0].get_extents() for each in panel.collections if isinstance(each, PolyCollection)]
    assert [(box.x0 < 1, box.x1 > 1) for box in shaded] == [(True, False), (False, True), (True, False)]
    filled = [line for line in panel.lines if line.get_marker() == "o" and line.get_markerfacecolor() != "white"]
    assert [list(line.get_ydata()) for line in filled] == [[0, 1]], "the noise has no conclusion"
    pyplot.close(chart)


@pytest.mark.slow
def test_axes_with_different_bases_share_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    parts = [
        ("first", [RowGroup("quiet", [Figure("f", "ns", {"a": [1.0, 2.0], "b": [2.0, 2.0]})], "a")]),
        ("second", [RowGroup("storms", [Figure("g", "ns", {"c": [1.0, 2.0], "d": [2.0, 2.0], "e": [0.0, 0.0]})], "c")]),
    ]
    plot(parts, "a host", tmp_path / "out.svg")
    drawn = (tmp_path / "out.svg").read_text(encoding="utf-8")
    assert all(text in drawn for text in ("a host", "b / a", "d / c", "better than a", "better than c", "f [ns]", "no unit"))
    assert "quiet: 2 rounds, 50 % intervals" in drawn
    assert "e / c" not in drawn  # a ratio of zero is no point on a logarithmic axis
