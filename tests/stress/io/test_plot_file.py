"""The path of a picture."""

import sys

import pytest

from stress.errors import HostError, UserError
from stress.io.plot_file import check_plot


@pytest.mark.parametrize(("name", "complaint"), [("out.txt", "an .svg, .png or .pdf"), ("no/such/out.svg", "no folder")])
def test_a_plot_that_cannot_be_drawn_is_refused_before_measuring(tmp_path, name, complaint):
    with pytest.raises(UserError, match=complaint):
        check_plot(tmp_path / name)


def test_a_missing_matplotlib_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(HostError, match="pfnstorm\\[plot\\]"):
        check_plot(tmp_path / "out.svg")
