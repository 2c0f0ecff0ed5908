"""A temporary folder is removed when its owner ends, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stress.process.scratch import scratch_folder

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_it_is_there_and_then_it_is_not():
    with scratch_folder("a-") as folder:
        (folder / "b").mkdir()
        (folder / "b" / "c").write_text("d")
        assert folder.name.startswith("a-")
    assert not folder.exists()


def test_it_goes_with_an_error():
    with pytest.raises(KeyboardInterrupt), scratch_folder("a-") as folder:
        raise KeyboardInterrupt
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_goes_with_a_killed_group(tmp_path, number):
    source = (
        "import time; from stress.process.scratch import scratch_folder as new\nwith new('a-') as f: print(f, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    folder = Path(owner.stdout.readline().strip())
    assert folder.is_dir()
    os.killpg(owner.pid, number)
    assert owner.wait() == -number
    assert owner.stdout.read() == ""  # the keeper, which has it open too, has gone
    owner.stdout.close()
    end = time.monotonic() + 10
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert not folder.exists()
