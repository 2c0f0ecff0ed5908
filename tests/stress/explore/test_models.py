"""The models: clean and met within a fixed budget, complete where they say so, and each caught with a seeded bug in its kernels.

Seeded bugs are explored interpreted, in a copy of the project, since a copy would have to be compiled again.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("PFNSTORM_FLAVOUR", "fast") != "fast", reason="starts the explored flavour"),
    pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="starts the interpreted engine itself"),
]

#: models whose interleavings are few: every one of them is explored, under both
COMPLETE = (
    "bitfield-isolation", "bitfield-steal", "bitfield-whole", "bitfield-word", "hugetlb-dissolve", "pagecache-split-head-last",
    "pagecache-split-recheck", "refcount-cas", "refcount-frozen-bit",
)  # fmt: skip
#: what each model that does without one of Linux's conditions must find
BROKEN = {
    "pagecache-split-linux": ("bug", "FOLIO_RANGE"),
    "refcount-frozen-bit-cleared": ("bug", "SHADOW"),
    "zspage-destroy-linux": ("bug", "UDESC_STATE"),
}
#: a seeded bug, a model that finds it, how, and within how many schedules of seed 1
SEEDED = (
    ("balloon_dequeues_isolated", "balloon-counted", "pct-3", 20),
    ("balloon_dequeues_isolated", "balloon-zero", "pct-3", 20),
    ("dissolved_before_it_is_free", "hugetlb-dissolve", "pct-3", 20),
    ("frozen_bit_cleared", "refcount-frozen-bit", "random", 5),
    ("handle_left_behind", "zspage-migration", "pct-3", 5),
    ("lookup_without_recheck", "pagecache-split", "pct-3", 60),
    ("offline_freed_while_isolated", "offline-deflate", "pct-3", 10),
    ("offline_freed_while_isolated", "range-type-change", "pct-3", 20),
    ("table_source_freed_at_once", "table-migration", "pct-3", 60),
    ("undo_keeps_lock", "numa-compaction", "pct-3", 10),
    ("undo_keeps_lock", "two-scanners", "pct-3", 400),
    ("zspage_freed_while_isolated", "zspage-migration", "pct-3", 20),
)
#: what is left behind at the end, and a descriptor that is used after it became another object's: which detector reports them
REPORTED = (
    ("clean_writeback_leaks", "file-writeback", 5, "at rest, refcounts (I3)"),
    ("target_descriptor_lost", "pagecache-migration", 20, "at rest, descriptors (I1)"),
    ("lookup_without_recheck", "pagecache-removal", 40, "FOLIO_RANGE (I10)"),
)
#: orderings that no x86 needs: only the race detector reports that they are missing. (file, as it is, weakened, model, strategy, schedules)
WEAKENED = (
    ("migrate/folio.py", "load_acquire(mem.refcount, src) !=", "load_relaxed(mem.refcount, src) !=", "gup-migration", "pos", 600),
    ("policy/ksm.py", "load_acquire(mem.refcount, old)", "load_relaxed(mem.refcount, old)", "ksm-merge", "random", 20),
)
#: results that break no invariant and that no order of the operations has: a get that gives up at the first collision, a CPU that is
#: refused because its list is being drained. (file, as it is, broken, model with the oracle, one without, schedules)
NOT_LINEARIZABLE = (
    ("page/refcount.py", "            return True\n        count_failed_cmpxchg(mem, cpu)", "            return True\n        return False",
     "refcount-linearizable", "refcount-cas", 200),
    ("alloc/pages.py", "    if pfn < 0:\n        pfn = buddy_alloc(", "    if pfn < 0 and order >= PCP_ORDERS:\n        pfn = buddy_alloc(",
     "allocator-linearizable", "pcp-isolation", 60),
)  # fmt: skip


def run(*words, cwd=ROOT, root=ROOT, timeout=280, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTEST_", "PFNSTORM_FLAVOUR"))}
    clean |= {"PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "stress", *words]
    return subprocess.run(command, cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=timeout)


def explored(path):
    return {model["model"]: model for model in json.loads(path.read_text())["models"]}


def test_every_model_is_clean_and_meets_what_it_is_for(tmp_path):
    path = tmp_path / "found.json"
    words = ("--strategy", "random", "--strategy", "pct-3", "--strategy", "pos", "--schedules", "4000", "--json", str(path))
    done = run("explore", *words, cwd=tmp_path, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    found = explored(path)
    assert len(found) >= 20
    assert not set(found) & set(BROKEN)
    assert all(times > 0 for model in found.values() for times in model["met"].values())


@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_small_models_are_explored_completely(memory, tmp_path):
    path = tmp_path / "found.json"
    words = ("--strategy", "dpor", "--memory", memory, "--schedules", "400000", "--json", str(path))
    done = run("explore", *COMPLETE, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert {name: model["verdict"] for name, model in explored(path).items()} == dict.fromkeys(COMPLETE, "clean, complete")


@pytest.mark.parametrize("model", BROKEN)
def test_a_condition_that_is_missing_is_found_and_replayed(model, tmp_path):
    verdict, code = BROKEN[model]
    done = run("explore", model, "--strategy", "dpor", "--schedules", "2000", cwd=tmp_path)
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-1000:]
    failure = tmp_path / "failures" / f"{model}-sc.json"
    found = json.loads(failure.read_text())["found"]
    assert (found["verdict"], found["code"]) == (verdict, code)
    replayed = run("replay", str(failure), cwd=tmp_path)
    assert replayed.returncode == 1, replayed.stderr[-1000:]
    assert f"then: {code}" in replayed.stdout


def explore_interpreted(folder, model, strategy, schedules):
    words = ("explore", model, "--strategy", strategy, "--schedules", str(schedules), "--seed", "1", "--jobs", "1")
    return run(*words, cwd=folder, root=folder, PFNSTORM_FLAVOUR="explored", NUMBA_DISABLE_JIT="1")


@pytest.fixture
def copy(tmp_path):
    for name in ("kernels", "stress", "tests/bugs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "pfnstorm.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(("bug", "model", "strategy", "schedules"), SEEDED, ids=[f"{bug}-{model}" for bug, model, *_ in SEEDED])
def test_a_seeded_bug_is_found(bug, model, strategy, schedules, copy):
    from stress.bugs.patches import apply_patch

    apply_patch(copy / "tests" / "bugs" / f"{bug}.patch", copy)
    done = explore_interpreted(copy, model, strategy, schedules)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-1000:]


@pytest.mark.parametrize(("bug", "model", "schedules", "reported"), REPORTED, ids=[each[0] for each in REPORTED])
def test_what_leaks_and_what_outlives_its_type_is_reported(bug, model, schedules, reported, copy):
    from stress.bugs.patches import apply_patch

    apply_patch(copy / "tests" / "bugs" / f"{bug}.patch", copy)
    done = explore_interpreted(copy, model, "pct-3", schedules)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-1000:]
    assert f"violated: {reported}" in done.stdout


def test_frames_that_are_never_freed_are_reported(copy):
    path = copy / "kernels" / "alloc" / "release.py"
    freed = "    chaos_point(mem, cpu)\n    free_frozen_pages(mem, cpu, pfn, order)\n"
    assert path.read_text().count(freed) == 1
    path.write_text(path.read_text().replace(freed, ""))
    done = explore_interpreted(copy, "refcount-cas", "pct-3", 5)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-1000:]
    assert "violated: at rest, conservation" in done.stdout


@pytest.mark.parametrize(("file", "strong", "weak", "model", "strategy", "schedules"), WEAKENED, ids=[each[0] for each in WEAKENED])
def test_a_missing_acquire_is_a_race(file, strong, weak, model, strategy, schedules, copy):
    path = copy / "kernels" / file
    text = path.read_text()
    assert text.count(strong) == 1
    path.write_text(text.replace(strong, weak))
    done = explore_interpreted(copy, model, strategy, schedules)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-1000:]
    assert "violated: race: contents" in done.stdout


@pytest.mark.parametrize(
    ("file", "right", "wrong", "model", "other", "schedules"), NOT_LINEARIZABLE, ids=[each[3] for each in NOT_LINEARIZABLE]
)
def test_only_the_oracle_finds_a_result_that_is_not_linearizable(file, right, wrong, model, other, schedules, copy):
    path = copy / "kernels" / file
    text = path.read_text()
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong))
    done = explore_interpreted(copy, model, "random", schedules)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-1000:]
    assert "violated: at rest, linearizability" in done.stdout
    done = explore_interpreted(copy, other, "pct-3", schedules)
    assert done.returncode in (0, 5), done.stdout[-2000:] + done.stderr[-1000:]  # 5: so few schedules do not meet everything
