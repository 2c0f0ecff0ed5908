"""Pictures for `--plot`: the path is checked before the work starts; the colours are told apart by people who are colour-blind.

Source      Okabe and Ito, Color Universal Design (2008): the colours
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stress.errors import HostError, UserError
from stress.io.json_report import is_writable
from stress.io.reading import is_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"


def check_plot(path: Path) -> None:
    """Raise now what saved() would raise after minutes of measuring."""
    if path.suffix not in (".svg", ".png", ".pdf"):
        raise UserError(f"{path}: a plot is an .svg, .png or .pdf file")
    if not is_folder(path.parent):
        raise UserError(f"{path}: there is no folder {path.parent}")
    if is_folder(path) or not is_writable(path.parent):
        raise UserError(f"{path}: is a folder, or its folder is not writable")
    try:
        import matplotlib  # noqa: F401  # optional: the extra `plot`
    except ImportError as error:
        raise HostError("--plot needs matplotlib: pip install 'pfnstorm[plot]'") from error


@contextmanager
def saved(path: Path, rows: int, columns: int, size: tuple[float, float], **grid: Any) -> Iterator[tuple[Any, list["Axes"]]]:
    """A figure with its panels, row by row, which is written when the context ends.

    Parameters  size: width and height in inches
    Raises      UserError if the file cannot be written
    """
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pfnstorm", "font.size": 9})  # text stays text: a tenth of the size
    from matplotlib import pyplot

    chart, panels = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **grid)
    flat = [panel for line in panels for panel in line]
    for panel in flat:
        panel.spines[["top", "right"]].set_visible(False)
    try:
        yield chart, flat
        chart.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror}") from error
    finally:
        pyplot.close(chart)
