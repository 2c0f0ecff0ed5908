"""What `make history` adds to the pages of asv publish: that every figure is a cost.

    python -m stress.history.pages results/html

asv-tachyon 0.5 takes a benchmark whose type is `track` for one whose higher figures are better, unless its entry says otherwise, and asv
publish has no way to say it. A loss would be drawn in green.
"""

import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from stress.errors import EXIT_CLEAN, EXIT_USAGE, PfnstormError, UserError
from stress.io.json_report import write_json
from stress.io.reading import checked, read_json
from stress.io.text import message_line

_WHAT = "an index of asv publish"
_INDEX: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_ENTRIES: TypeAdapter[dict[str, dict[str, Any]]] = TypeAdapter(dict[str, dict[str, Any]])


def mark_costs(folder: Path) -> int:
    """Say of each benchmark of published pages that less is better.

    Returns     how many benchmarks there are
    Raises      UserError
    """
    path = folder / "index.json"
    index = checked(_INDEX, read_json(path, _WHAT, missing_numbers=True), path, _WHAT, "run asv publish")
    entries = checked(_ENTRIES, index.get("benchmarks"), path, _WHAT, "run asv publish")
    index["benchmarks"] = {name: entry | {"less_is_better": True} for name, entry in entries.items()}
    try:
        write_json(path, index)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror}") from error
    return len(entries)


def main(words: list[str]) -> int:
    """The command. Returns the exit code."""
    if len(words) != 1:
        print("usage: python -m stress.history.pages FOLDER", file=sys.stderr)
        return EXIT_USAGE
    try:
        print(f"{mark_costs(Path(words[0]))} benchmarks, lower is better")
    except PfnstormError as error:
        print(f"pfnstorm: {message_line(str(error))}", file=sys.stderr)
        return error.exit_code
    return EXIT_CLEAN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
