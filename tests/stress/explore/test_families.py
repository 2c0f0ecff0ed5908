"""No false alarm: a hundred million schedules of the unmodified kernels, for each family of models.

    python -m pytest -m nightly -s tests/stress/explore/test_families.py

A round explores the models of a family for the same time each; once each has had its share, those that make the most schedules go on alone.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(os.environ.get("PFNSTORM_FLAVOUR", "fast") != "fast", reason="starts the explored flavour")

#: by what they share; a model of what breaks a protocol is of no family
FAMILIES = {
    "refcount": "counted-free refcount-cas refcount-frozen-bit refcount-frozen-bit-folio refcount-frozen-bit-linearizable "
    "refcount-linearizable",
    "page cache": "file-read-in file-reclaim file-writeback pagecache-removal pagecache-removal-frozen-bit pagecache-resized "
    "pagecache-split pagecache-split-head-last pagecache-split-recheck promises-files reclaim-writeback",
    "allocator": "allocator-linearizable descriptor-pool hugetlb-dissolve hugetlb-pool lru-batches pcp-isolation pcp-two-isolators "
    "promises-compaction promises-lists promises-ranges ranges-contended ranges-taken soft-offline target-scanners",
    "mapped memory": "cow-faults cow-migration cow-readers file-faults fork-faults fork-migration forks-raced gup-migration gup-unmap "
    "hints-raced ksm-merge ksm-raced large-folio-migration list-split list-type-change mapped-file-migration mapped-file-zap "
    "numa-compaction pagecache-migration promises-faults promises-migration promises-raced range-split range-tail range-type-change "
    "split-truncation two-scanners unmap-migration writeback-migration",
    "descriptors without a count": "balloon-counted balloon-inflate balloon-reused balloon-shared balloon-zero netpool-fragments "
    "offline-deflate slab-new slab-shrink table-migration table-populated zspage-migration zspage-publish zspage-putback zspage-remade",
}
STRATEGIES = ("random", "pos", "pct-3")
WANTED = 100_000_000
#: schedules of a family after which only its fastest models go on, and how many of those
SHARED, FASTEST = 6_000_000, 3
ROUND_S = 60


def explore(models, seconds, seed, path):
    """One round; how many schedules each model made. Every model has to be clean."""
    chosen = [word for strategy in STRATEGIES for word in ("--strategy", strategy)]
    words = ("explore", *models, *chosen, "--seconds", seconds, "--seed", seed, "--json", path, "--failures", path.parent / "failures")
    done = subprocess.run([sys.executable, "-m", "stress", *map(str, words)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(path.read_text())["models"]
    return Counter({each["model"]: sum(tally["schedules"] for tally in each["strategies"]) for each in said})


def test_every_model_is_of_one_family():
    words = (sys.executable, "-m", "stress", "explore", "--list")
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = told.partition("models that are to be violated")[0].partition("strategies:")[0].splitlines()[1:]
    assert sorted(line.split()[0] for line in listed) == sorted(model for models in FAMILIES.values() for model in models.split())


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("family", FAMILIES)
def test_there_is_no_false_alarm(family, tmp_path):
    models, made, seed = FAMILIES[family].split(), Counter(), 0
    while made.total() < WANTED:
        seed += 1
        going = models if made.total() < SHARED else [model for model, _ in made.most_common(FASTEST)]
        made += explore(going, max(ROUND_S, 3 * len(going)), seed, tmp_path / "round.json")
        print(f"{family}: {made.total():,} schedules, no alarm", flush=True)
