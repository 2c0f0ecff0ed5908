"""`--plot FILE`: the path is checked before the work starts."""

from pathlib import Path

from stress.errors import HostError, UserError
from stress.io.json_report import is_writable
from stress.io.reading import is_folder


def check_plot(path: Path) -> None:
    """Raise now what drawing would raise after minutes of measuring."""
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
