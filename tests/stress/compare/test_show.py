"""Tables of a comparison."""

from stress.compare.show import beside_lines, counts_table, table
from stress.compare.verdicts import RowGroup
from stress.measure.ratio import Figure

COST = Figure("move", "ns/frame", {"list": [1000.0] * 7, "bitmap": [1500.0] * 7})
SPEED = Figure("role anon", "ops/s", {"list": [2.0] * 7, "bitmap": [2.0] * 7}, more_is_better=True)


def rows(*figures):
    """The lines of a group's tables, without the notes."""
    return [line for line in table(RowGroup("quiet", figures, "list")) if not line.startswith("  ")]


def test_a_figure_is_a_row_with_medians_ratios_and_what_they_show():
    head, row, _ = rows(COST)
    assert head.split() == ["quiet", "list", "bitmap", "unit", "better", "bitmap", "/", "list,", "98.4", "%", "shown"]
    assert row.split() == ["move", "1,000", "1,500", "ns/frame", "less", "1.500", "(1.500", "-", "1.500)", "list", "better"]


def test_columns_line_up():
    head, *each, _ = rows(COST, SPEED)
    assert head.index("unit") + len("unit") == each[0].index("ns/frame") + len("ns/frame")
    assert each[0].index("ns/frame") + len("ns/frame") == each[1].index("ops/s") + len("ops/s")


def test_figures_of_other_values_have_a_table_of_their_own():
    other = Figure("unmap", "ns/frame", {"list": [1.0], "bitmap": [1.0], "folios": [1.0]})
    names = [[line.split("  ")[0] for line in each.splitlines()] for each in "\n".join(rows(COST, other, SPEED)).split("\n\n")]
    assert names[:2] == [["quiet", "move", "role anon"], ["quiet", "unmap"]]


def test_a_base_of_zero_has_no_ratio():
    (_, row, _) = rows(Figure("given up", "", {"list": [0.0, 0.0], "bitmap": [1.0, 1.0]}))
    assert row.split()[-3:] == ["-", "no", "base"]


def test_three_rounds_have_75_percent_and_no_conclusion():
    text = "\n".join(table(RowGroup("quiet", [Figure("f", "ns", {"list": [1.0] * 3, "bitmap": [2.0] * 3})], "list")))
    assert "bitmap / list, 75 %" in text
    assert "needs 6 rounds" in text
    assert "95 % intervals need 6 rounds" in text
    assert "list better" not in text


def test_a_row_whose_ratio_contradicts_its_medians_is_marked_and_explained():
    figure = Figure("f", "ns", {"list": [1.0, 10.0, 20.0], "bitmap": [1.1, 11.0, 9.0]})
    lines = table(RowGroup("quiet", [figure], "list"))
    assert "1.100) *" in lines[1]
    assert any(line.startswith("  * the ratio and the quotient") for line in lines)
    assert "*" not in "".join(table(RowGroup("quiet", [COST], "list")))
    assert any("not the quotient of the two medians" in line for line in table(RowGroup("quiet", [COST], "list")))


def test_equal_verdicts_are_shown_once_and_others_in_the_values_order():
    same = Figure("f", "ns", {"list": [1.0] * 9, "bitmap": [2.0] * 9, "folios": [2.0] * 9})
    mixed = Figure("g", "ns", {"list": [1.0] * 9, "bitmap": [1.0] * 9, "folios": [0.5] * 9})
    _, first, second, _ = rows(same, mixed)
    assert first.endswith(")  list better")
    assert second.endswith("no difference shown; folios better")


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
