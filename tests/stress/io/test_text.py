"""Values as text."""

import pytest

from stress.io.text import buddyinfo_lines, clock_text, columns, section, size_text, table, time_text

MIB = 1 << 20


def test_buddyinfo_has_the_format_of_the_kernel():
    assert buddyinfo_lines([[1, 22, 333]]) == ["Node 0, zone   Normal      1     22    333 "]


def test_table_aligns():
    assert table(("a", "bb"), [("long", 1), ("x", 1000)]) == ["a        bb", "long      1", "x     1,000"]


def test_table_tells_numbers_apart():
    assert table(("", "n"), [("a", None), ("b", 0.125), ("c", 1234.5), ("d", "as is")]) == [
        "       n", "a      -", "b  0.125", "c  1,234", "d  as is",
    ]  # fmt: skip


def test_columns_align_to_the_left_and_do_not_pad_the_last():
    assert columns([("a", "long", "x"), ("bb", "c", "y")], "  ") == ["  a   long  x", "  bb  c     y"]
    assert columns([]) == []


def test_a_section_without_lines_is_nothing():
    assert section("title", []) == []
    assert section("title", ["a"]) == ["", "title", "  a"]


@pytest.mark.parametrize(
    ("nr_bytes", "text"),
    [(12, "12 bytes"), (10239, "10239 bytes"), (20480, "20 KiB"), (256 * MIB, "256 MiB"), (3 << 29, "1.5 GiB"), (3 << 40, "3,072 GiB")],
)
def test_size_text(nr_bytes, text):
    assert size_text(nr_bytes) == text


@pytest.mark.parametrize(("seconds", "text"), [(1.25, "1.2 s"), (119, "119.0 s"), (120, "0:02:00"), (3 * 3600 + 61, "3:01:01")])
def test_clock_text(seconds, text):
    assert clock_text(seconds) == text


@pytest.mark.parametrize(
    ("ns", "text"), [(340, "0.3 us"), (12_345, "12.3 us"), (999_000, "999.0 us"), (1e6, "1.00 ms"), (2_345e6, "2,345.00 ms")]
)
def test_time_text(ns, text):
    assert time_text(ns) == text
