"""No false alarm: a hundred million schedules of the unmodified kernels, for each family of models.

    python -m pytest -m nightly -s tests/stress/explore/test_families.py

A round gives each model of a family the same time. Once each has had its share, the models that make the most schedules continue alone.
"""

import importlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from stress import registry
from stress.explore.models import all_models, families, known_models

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(os.environ.get("PFNSTORM_FLAVOUR", "fast") != "fast", reason="starts the explored flavour")

#: the models of each family that must hold, by name
FAMILIES = {family: [name for name, model in models.items() if not model.breaks] for family, models in families().items()}
#: sections of docs/protocols.md, then ids of docs/invariants.md: "P6-P8, P17; B4, I13"
SECTION, ID = r"P\d+(?:-P\d+)?", r"(?:I\d+|L[12]|F-[1-4]|[A-H]\d+|promise)"
PROTOCOL = re.compile(rf"{SECTION}(?:, {SECTION})*(?:; {ID}(?:, {ID})*)?")
STRATEGIES = ("random", "pos", "pct-3")
WANTED = 100_000_000
#: schedules of a family after which only its fastest models continue, and how many of those
SHARED, FASTEST = 6_000_000, 3
ROUND_S = 60


def explore(models, seconds, seed, path):
    """Explore one round, in which every model must be clean; returns how many schedules each model made."""
    chosen = [word for strategy in STRATEGIES for word in ("--strategy", strategy)]
    words = ("explore", *models, *chosen, "--seconds", seconds, "--seed", seed, "--json", path, "--failures", path.parent / "failures")
    done = subprocess.run([sys.executable, "-m", "stress", *map(str, words)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    explored = json.loads(path.read_text())["models"]
    return Counter({each["model"]: sum(tally["schedules"] for tally in each["strategies"]) for each in explored})


def test_the_listing_shows_each_model_in_its_family():
    words = (sys.executable, "-m", "stress", "explore", "--list")
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    holding, broken = shown.partition("strategies:")[0].split("models that must be violated, explored only by name:\n")
    listed = {}
    for section in holding.split("models, ")[1:]:
        family, *lines = section.splitlines()
        listed[family.rstrip(":")] = [line.split()[0] for line in lines]
    assert listed == FAMILIES
    assert {line.split()[0] for line in broken.splitlines()} == set(known_models()) - set(all_models())


def test_every_family_says_what_it_is():
    for family in FAMILIES:
        package = importlib.import_module(f"stress.explore.models.{family}")
        assert package.__doc__
        assert "\n" not in package.__doc__


@pytest.mark.parametrize(
    ("stem", "message"), [("other", "other.py defines the model refcount-cas"), ("refcount_cas", "two families have a model refcount-cas")]
)
def test_a_model_has_the_name_of_its_file_and_one_family(stem, message, monkeypatch):
    model = known_models()["refcount-cas"]
    monkeypatch.setattr(registry, "scan", lambda package, record_type: {stem: model})
    with pytest.raises(registry.RegistryError, match=message):
        families.__wrapped__()


@pytest.mark.parametrize("model", known_models().values(), ids=lambda model: model.name)
def test_a_model_cites_sections_and_ids(model):
    assert PROTOCOL.fullmatch(model.protocol)
    sections, _, ids = model.protocol.partition(";")
    assert {int(number) for number in re.findall(r"P(\d+)", sections)} <= set(range(1, 23))
    assert {int(number) for number in re.findall(r"I(\d+)", ids)} <= set(range(1, 19))


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("family", FAMILIES)
def test_there_is_no_false_alarm(family, tmp_path):
    models, made, seed = FAMILIES[family], Counter(), 0
    while made.total() < WANTED:
        seed += 1
        chosen = models if made.total() < SHARED else [model for model, _ in made.most_common(FASTEST)]
        made += explore(chosen, max(ROUND_S, 3 * len(chosen)), seed, tmp_path / "round.json")
        print(f"{family}: {made.total():,} schedules, no alarm", flush=True)
