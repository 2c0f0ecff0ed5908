"""Damaged files: each reader reads a thousand of them or refuses them in one line, and none gives a traceback."""

import json
import random
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from stress.bugs.story import BUG_FOLDER, read_story
from stress.catalogue import TABLE as CATALOGUE
from stress.catalogue import read_catalogue
from stress.compare.saved import read_comparison
from stress.explore.diagnosis import Found
from stress.explore.failure import Failure, kernels_hash, load_failure
from stress.explore.models import known_models
from stress.history import asv_files
from stress.history.pages import mark_costs
from stress.litmus.command import CLASSICS
from stress.litmus.file import read_tests
from stress.machine.segment import create_machine, load_machine, save_machine
from stress.mutate.results import Results, Trial
from stress.mutate.survivors import TABLE as SURVIVORS
from stress.mutate.survivors import explained
from stress.run.command import RunOptions, prepare
from stress.run.report import render
from stress.run.store import TABLES, read_run, read_samples
from stress.snapshot.load import start_from
from stress.storm.scenario import SCENARIO_FOLDER
from stress.storm.trace import read_trace
from tests.stress.compare.canned import COMPARISON
from tests.stress.damage import damaged_bytes, damaged_json, damaged_npz, damaged_toml, packed, refusals
from tests.stress.history.kit import write_benchmarks, write_file
from tests.stress.machine.test_segment import SMALL
from tests.stress.run.canned import RESULT, WHOLE


def rendered(path):
    print(render(read_run(str(path))))


def prepared(path):
    """Read a scenario and decide everything about its run."""
    prepare(RunOptions(str(path), 1.0, None, None, None, None, 1, "none", (), 0.0, None, None, None, save=False))


def started(path):
    """Read a recording and decide what its machine begins with."""
    start_from(path, 1, None, 1)


def samples(path):
    shutil.copyfile(path, path.with_name("samples.sqlite"))
    read_samples(path.parent)


def database(folder):
    """The bytes of a small database of samples."""
    path = folder / "whole.sqlite"
    rows = [(float(second), f"role {role}", second * role, 0) for second in range(40) for role in range(5)]
    with closing(sqlite3.connect(path)) as made:
        made.executescript(TABLES)
        made.executemany("INSERT INTO role_samples VALUES (?, ?, ?, ?)", rows)
        made.commit()
    return path.read_bytes()


def failure():
    """A valid failure as JSON."""
    name = "refcount-cas"
    steps = tuple((step % 2, f"load_relaxed refcount[{step}]") for step in range(20))
    return Failure(name, "sc", "random", 1, 0, kernels_hash(known_models()[name]), Found("bug", "BAD_FREE", "I8"), steps).to_json()


def asv_result(folder):
    """The bytes of a result of asv with a few benchmarks."""
    values = {
        "pairs.Pair.track_ratio": {"'buddy'": 2.0, "'bitfield'": float("nan")},
        "start.Import.track_import": 0.3,
        "lost.track_it": None,
    }
    return write_file(folder, "0123456789abcdef" * 2 + "01234567", values, started_at=1764500000000).read_bytes()


def asv_benchmarks(folder):
    write_benchmarks(folder, ["pairs.Pair.track_ratio", "start.Import.track_import"], params=("'buddy'", "'bitfield'"))
    return (folder / "benchmarks.json").read_bytes()


def marked(path):
    """Mark the index of published pages."""
    shutil.copyfile(path, path.with_name("index.json"))
    mark_costs(path.parent)


def trials():
    return "".join(json.dumps(vars(Trial(f"m{n}", "explore a", None, "", n, 0.5))) + "\n" for n in range(20)).encode()


def results(path):
    Results(path).close()


def trace_arrays():
    """A trace of 40 events on two CPUs."""
    rng = np.random.default_rng(1)
    alloc = np.arange(40) % 2 == 0
    return {
        "t_ns": np.arange(40),
        "cpu": rng.integers(0, 2, 40),
        "alloc": alloc,
        "pfn": np.arange(40) // 2,
        "order": np.zeros(40, np.int8),
        "migratetype": np.where(alloc, 1, -1),
    }


def recording_arrays():
    """A zone that begins at 16 MiB, and is small: 16 pageblocks, of which every second frame is free."""
    start, nr_frames = 4096, 16 * 512
    flags = np.zeros(start + nr_frames, np.uint64)
    flags[start::2] = 1 << 10
    flags[start + 1 :: 2] = 1 << 5 | 1 << 11 | 1 << 12
    counts = (flags >> np.uint64(11) & np.uint64(1)).astype(np.uint64)
    meta = {
        "buddyinfo_before": f"Node 0, zone   Normal {nr_frames // 2} 0 0 0 0 0 0 0 0 0 0\n",
        "pagetypeinfo_before": "Page block order: 9\nNumber of blocks type Unmovable Movable\nNode 0, zone Normal 1 15\n",
        "vmstat_delta": {"compact_migrate_scanned": 5},
        "elapsed_ns": 1000,
    }
    return {"flags_before": flags, "count_before": counts, "flags_after": flags, "meta": np.array(json.dumps(meta))}


def machine(folder):
    path = folder / "machine.npz"
    save_machine(create_machine(SMALL, {}), path)
    return path.read_bytes()


def text_of(value):
    return json.dumps(value).encode()


SCENARIOS = [path.read_bytes() for path in sorted(SCENARIO_FOLDER.glob("*.toml")) if b"trace" not in path.read_bytes()]
STORIES = [path.read_bytes() for path in sorted(BUG_FOLDER.glob("*.toml"))]
LITMUS = json.loads(CLASSICS.read_text())["tests"]

#: how a file is read, how it is damaged, folder -> contents of valid files, damaged files in each run of the tests
READERS = {
    "run.json": (rendered, damaged_json, lambda _: [text_of(RESULT), text_of(WHOLE)], 1000),
    "compare.json": (read_comparison, damaged_json, lambda _: [text_of(COMPARISON)], 1000),
    "run.json, its bytes": (rendered, damaged_bytes, lambda _: [text_of(WHOLE)], 200),
    "samples": (samples, damaged_bytes, lambda folder: [database(folder)], 500),
    "failure": (lambda path: load_failure(path).found.describe(), damaged_json, lambda _: [text_of(failure())], 500),
    "litmus": (read_tests, damaged_json, lambda _: [text_of({"tests": [test]}) for test in LITMUS] + [CLASSICS.read_bytes()], 1000),
    "asv": (asv_files.read_run, damaged_json, lambda folder: [asv_result(folder)], 1000),
    "asv, its bytes": (asv_files.read_run, damaged_bytes, lambda folder: [asv_result(folder)], 300),
    "asv's benchmarks": (asv_files.read_benchmarks, damaged_json, lambda folder: [asv_benchmarks(folder)], 500),
    "index of pages": (marked, damaged_json, lambda _: [text_of({"project": "p", "benchmarks": {"a": {"type": "track"}}})], 300),
    "trials": (results, damaged_bytes, lambda _: [trials()], 500),
    "scenario": (prepared, damaged_toml, lambda _: SCENARIOS, 1000),
    "story": (read_story, damaged_toml, lambda _: STORIES, 1000),
    "survivors": (explained, damaged_toml, lambda _: [SURVIVORS.read_bytes()], 50),
    "catalogue": (read_catalogue, damaged_toml, lambda _: [CATALOGUE.read_bytes()], 50),
    "trace": (read_trace, damaged_npz, lambda _: [packed(**trace_arrays())], 500),
    "recording": (started, damaged_npz, lambda _: [packed(**recording_arrays())], 300),
    "machine": (load_machine, damaged_bytes, lambda folder: [machine(folder)], 200),
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_not_damaged_is_read(name, tmp_path):
    read, _, contents, _ = READERS[name]
    for content in contents(tmp_path):
        (tmp_path / "whole.toml").write_bytes(content)
        read(tmp_path / "whole.toml")


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_in_one_line(name, tmp_path):
    read, damage, contents, count = READERS[name]
    nr_refused = refusals(read, damage, contents(tmp_path), tmp_path / "damaged.toml", 1, count)
    assert count // 10 < nr_refused < count, "hardly anything is damaged, or read"


@pytest.mark.nightly
@pytest.mark.parametrize("name", READERS)
def test_thousands_of_damaged_files_are_read_or_refused_in_one_line(name, tmp_path):
    read, damage, contents, count = READERS[name]
    refusals(read, damage, contents(tmp_path), tmp_path / "damaged.toml", random.SystemRandom().randrange(1 << 31), 10 * count)
