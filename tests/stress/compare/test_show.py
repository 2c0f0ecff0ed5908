"""Tables and plots of a comparison."""

import sys

import pytest

from stress.compare.show import beside_lines, check_plot, counts_table, plot, table
from stress.errors import HostError, UserError
from stress.measure.ratio import Figure

COST = Figure("move", "ns/frame", {"list": [1000.0, 1000.0, 1000.0], "bitmap": [1500.0, 1500.0, 1500.0]})
SPEED = Figure("role anon", "ops/s", {"list": [2.0, 2.0], "bitmap": [2.0, 2.0]}, more_is_better=True)


def test_a_figure_is_a_row_with_medians_ratios_and_what_they_show():
    head, row, _ = table([COST], "list")
    assert head.split() == ["list", "bitmap", "unit", "bitmap", "/", "list,", "95", "%", "shown"]
    assert row.split() == ["move", "1,000", "1,500", "ns/frame", "1.500", "(1.500", "-", "1.500)", "list", "better"]


def test_columns_line_up():
    head, *rows, _ = table([COST, SPEED], "list")
    assert head.index("unit") + len("unit") == rows[0].index("ns/frame") + len("ns/frame")
    assert rows[0].index("ns/frame") + len("ns/frame") == rows[1].index("ops/s") + len("ops/s")


def test_figures_of_other_values_have_a_table_of_their_own():
    other = Figure("unmap", "ns/frame", {"list": [1.0], "bitmap": [1.0], "folios": [1.0]})
    lines = table([COST, other, SPEED], "list")
    names = [[line.split("  ")[0] for line in each.splitlines()] for each in "\n".join(lines).split("\n\n")]
    assert names == [["", "move", "role anon"], ["", "unmap"]]


def test_a_base_of_zero_has_no_ratio():
    (_, row, _) = table([Figure("given up", "", {"list": [0.0, 0.0], "bitmap": [1.0, 1.0]})], "list")
    assert row.split()[-3:] == ["-", "no", "base"]


def test_counts_are_summed_over_the_stages():
    stages = {name: {"atomics": 1.5, "lines": 2.0} for name in ("scan", "isolate", "unmap", "flush", "move", "putback")}
    lines = counts_table({"anon": {"list": stages}})
    rows = [line.split() for line in lines if line.startswith("anon: list")]
    assert [row[-1] for row in rows] == ["9.00", "12.0"]
    assert len(rows[0]) == 2 + 7


def test_a_copy_that_could_not_be_measured_says_why():
    given = {"kernel_ns_per_frame": 3600, "ipi_ns": 0, "left_out": None, "plain_copy_ns": {"median": 1234.0, "low": 1200.0, "high": 1300.0}}
    assert any("1,234 ns (1,200 - 1,300)" in line for line in beside_lines(given))
    left_out = given | {"plain_copy_ns": None, "left_out": "no C compiler"}
    assert any(line.endswith("left out: no C compiler") for line in beside_lines(left_out))


@pytest.mark.parametrize(("name", "complaint"), [("out.txt", "an .svg, .png or .pdf"), ("no/such/out.svg", "no folder")])
def test_a_plot_that_cannot_be_drawn_is_refused_before_measuring(tmp_path, name, complaint):
    with pytest.raises(UserError, match=complaint):
        check_plot(tmp_path / name)


def test_a_missing_matplotlib_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(HostError, match="pfnstorm\\[plot\\]"):
        check_plot(tmp_path / "out.svg")


@pytest.mark.slow
def test_axes_with_different_bases_share_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    parts = [
        ("first", [Figure("f", "ns", {"a": [1.0, 2.0], "b": [2.0, 2.0]})], "a"),
        ("second", [Figure("g", "ns", {"c": [1.0, 2.0], "d": [2.0, 2.0], "e": [0.0, 0.0]})], "c"),
    ]
    plot(parts, tmp_path / "out.svg")
    drawn = (tmp_path / "out.svg").read_text(encoding="utf-8")
    assert all(text in drawn for text in ("first: ratio", "second: ratio", "b / a", "d / c"))
    assert "e / c" not in drawn  # a ratio of zero is no point on a logarithmic axis
