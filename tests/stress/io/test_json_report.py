"""`--json`: whole files, and paths that are no regular files."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stress.errors import UserError
from stress.io.json_report import check_json_path, write_json, write_report

ROOT = Path(__file__).resolve().parents[3]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    check_json_path(tmp_path / "link.json")
    write_json(tmp_path / "link.json", [1])
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text()) == [1]


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_json_path(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_json(pipe, {"a": 1})
    reader.join(10)
    assert json.loads(read[0]) == {"a": 1}
    assert pipe.is_fifo()


def test_a_device_is_written_to_and_not_replaced():
    """A pseudoterminal: in its folder no file can be made, so that a mistake here harms nothing."""
    ours, theirs = os.openpty()
    path = Path(os.ttyname(theirs))
    check_json_path(path)
    write_json(path, [1])
    assert os.read(ours, 100).split() == [b"[", b"1", b"]"]
    assert path.is_char_device()
    os.close(ours)
    os.close(theirs)


def test_a_file_that_standard_output_goes_to_is_continued(tmp_path):
    use = "from pathlib import Path; from stress.io.json_report import write_json"
    code = f"{use}; print('table'); write_json(Path('/dev/stdout'), [1]); print('end')"
    with (tmp_path / "out").open("w") as out:
        out.write("before\n")
        out.flush()
        subprocess.run([sys.executable, "-c", code], stdout=out, cwd=ROOT, check=True)
    assert (tmp_path / "out").read_text() == "before\ntable\n[\n 1\n]\nend\n"


def test_a_report_that_cannot_be_written_is_one_line(capsys, tmp_path):
    assert write_report(None, [1]) == 0
    assert write_report(tmp_path / "a.json", [1]) == 0
    path = tmp_path / "gone" / "a.json"
    assert write_report(path, [1]) == 4
    assert capsys.readouterr().err == f"pfnstorm: --json {path}: No such file or directory\n"


def test_a_dash_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="/dev/stdout"):
        check_json_path(Path("-"))
