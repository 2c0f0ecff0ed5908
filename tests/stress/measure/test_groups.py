"""Every cell of the groups that a crew measures, one slice each, by the command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stress.measure import grid
from stress.measure.cells import IN_ONE_PROCESS, OTHERS

ROOT = Path(__file__).resolve().parents[3]
CREWED = [group for group in grid.GROUPS if group not in OTHERS]


def run(*words, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PFNSTORM_BENCH": "tiny"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "stress.measure.cells", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("group", CREWED)
def test_each_cell_gives_a_ratio(group, tmp_path):
    status, out, err = run(group, "--json", tmp_path=tmp_path)
    assert status == 0, out[-2000:] + err[-2000:]
    cells = json.loads(out)["cells"]
    assert list(cells) == [spec.name for spec in grid.cells(group, "tiny")]
    for name, row in cells.items():
        assert row["ratio"] > 0, name
        assert row["slices"] >= 1
        assert 0 <= row["slow_share"] <= 1
        assert row["cost_ns"] is None or row["cost_ns"] > 0


@pytest.mark.slow
def test_the_number_of_kernels_is_a_figure(tmp_path):
    status, out, _ = run("building", "--json", "--cell", "references", tmp_path=tmp_path)
    assert status == 0
    assert json.loads(out)["figures"]["kernels"] > 400


def test_groups_are_named_once():
    assert set(OTHERS) | set(CREWED) == set(grid.GROUPS)
    assert set(IN_ONE_PROCESS) <= set(OTHERS)


@pytest.mark.parametrize(
    ("words", "message"), [(("compaction", "--cell", "nothing"), "no cell of compaction begins so"), (("anything",), "invalid choice")]
)
def test_wrong_words_are_refused(words, message, tmp_path):
    status, _, err = run(*words, tmp_path=tmp_path)
    assert status == 2
    assert message in err
