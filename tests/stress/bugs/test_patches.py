"""Patches apply exactly, or are refused whole."""

import pytest

from stress.bugs.patches import PatchError, apply_patch, read_patch

BEFORE = "".join(f"line {k}\n" for k in range(1, 21))
PATCH = """\
--- a/file.txt
+++ b/file.txt
@@ -4,3 +4,3 @@
 line 4
-line 5
+LINE 5
 line 6
@@ -10,2 +10,3 @@ a heading
 line 10
+more
 line 11
"""


@pytest.fixture
def apply(tmp_path):
    def applied(patch=PATCH, text=BEFORE):
        (tmp_path / "file.txt").write_text(text)
        (tmp_path / "a.patch").write_text(patch)
        apply_patch(tmp_path / "a.patch", tmp_path)
        return (tmp_path / "file.txt").read_text()

    return applied


def test_a_patch_is_applied(apply):
    assert apply() == BEFORE.replace("line 5", "LINE 5").replace("line 10\n", "line 10\nmore\n")


def test_a_patch_follows_lines_that_moved(apply):
    assert apply(text="new\n" * 7 + BEFORE) == "new\n" * 7 + BEFORE.replace("line 5", "LINE 5").replace("line 10\n", "line 10\nmore\n")


@pytest.mark.parametrize(
    ("patch", "text", "complaint"),
    [
        (PATCH, BEFORE.replace("line 6", "line six"), "does not fit file.txt: this line is missing: 'line 6'"),
        (PATCH, BEFORE.replace("line 5\n", "line 5\n\n"), "are no longer consecutive"),
        (PATCH, "new\n" + BEFORE + BEFORE, "in several places, at lines 5, 25"),
        (PATCH.replace("-4,3", "-4,4"), BEFORE, "its header says 4"),
        (PATCH.replace("@@ -4", "@ -4"), BEFORE, "not a line of a unified diff"),
        (PATCH.replace("file.txt", "other.txt"), BEFORE, "there is no other.txt"),
        (PATCH.replace("b/file.txt", "b/../file.txt"), BEFORE, "must change a file in place"),
        (PATCH.replace("a/file.txt", "/dev/null"), BEFORE, "must change a file in place"),
        ("", BEFORE, "no hunk in it"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused_whole(apply, tmp_path, patch, text, complaint):
    with pytest.raises(PatchError, match=complaint) as caught:
        apply(patch, text)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file.txt").read_text() == text


def test_a_hunk_knows_its_lines_and_its_place(tmp_path):
    (tmp_path / "a.patch").write_text(PATCH)
    (patch,) = read_patch(tmp_path / "a.patch")
    first, second = patch.hunks
    assert (patch.path, first.at_line, first.start) == ("file.txt", 3, 3)
    assert first.old == ("line 4", "line 5", "line 6")
    assert second.new == ("line 10", "more", "line 11")


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    (tmp_path / "binary.patch").write_bytes(b"\xff\xfe")
    for name in ("nosuch.patch", "binary.patch"):
        with pytest.raises(PatchError, match=name):
            read_patch(tmp_path / name)


def test_a_hunk_without_old_lines_is_refused(tmp_path):
    (tmp_path / "a.patch").write_text("--- a/f\n+++ b/f\n@@ -4,0 +5,1 @@\n+new\n")
    with pytest.raises(PatchError, match="its place is unknown"):
        read_patch(tmp_path / "a.patch")
