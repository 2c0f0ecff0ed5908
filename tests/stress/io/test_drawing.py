"""Pictures: what cannot be written is refused before the work, and while writing in one line."""

import sys

import pytest

from stress.errors import HostError, UserError
from stress.io.drawing import check_plot, saved


@pytest.mark.parametrize(("name", "complaint"), [("out.txt", "an .svg, .png or .pdf"), ("no/such/out.svg", "no folder")])
def test_a_plot_that_cannot_be_drawn_is_refused_before_measuring(tmp_path, name, complaint):
    with pytest.raises(UserError, match=complaint):
        check_plot(tmp_path / name)


def test_a_missing_matplotlib_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(HostError, match="pfnstorm\\[plot\\]"):
        check_plot(tmp_path / "out.svg")


@pytest.mark.slow
def test_a_picture_is_the_same_each_time_and_a_failure_one_error(tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("one.svg", "two.svg"):
        with saved(tmp_path / name, 1, 2, (4, 2)) as (_, panels):
            panels[1].plot([1, 2], [3, 4])
    assert (tmp_path / "one.svg").read_text() == (tmp_path / "two.svg").read_text()
    with pytest.raises(UserError, match="cannot write"), saved(tmp_path / "none" / "out.svg", 1, 1, (4, 2)):
        pass
