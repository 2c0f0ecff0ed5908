"""From options to a set-up run: what is refused before memory is taken or kernels are built."""

import re
from pathlib import Path

import numpy as np
import pytest

from stress.errors import HostError, UserError
from stress.run.command import RunOptions, perform, prepare
from stress.run.setup import role_names
from stress.storm.scenario import SCENARIO_FOLDER

DEFAULTS = RunOptions(
    scenario="storm",
    seconds=1.0,
    workers=3,
    nodes=None,
    memory="64M",
    frame_bytes=None,
    seed=5,
    check="rest",
    settings=(),
    chaos=0.0,
    trace=None,
    snapshot=None,
    json=None,
    save=False,
)


def options(**changed):
    return RunOptions(**(vars(DEFAULTS) | changed))


def test_a_setup_follows_its_options():
    setup = prepare(options(check="full", chaos=0.01, nodes=1))
    assert setup.geometry.nr_cpus == len(setup.plans) == 3
    assert setup.geometry.nr_nodes == 1
    assert setup.params["seed"] == setup.config["seed"] == 5
    assert setup.params["shadow_on"] == 1
    assert setup.params["chaos_ppm"] == 10_000
    assert all(len(plan.weights) == len(role_names()) for plan in setup.plans)


@pytest.mark.parametrize(
    ("changed", "error", "expected"),
    [
        ({"scenario": "nosuch"}, UserError, "unknown scenario 'nosuch'; known: .*storm"),
        ({"scenario": "no/such.toml"}, UserError, "no such scenario file"),
        ({"memory": "lots"}, UserError, "is not a size"),
        ({"memory": "4K"}, UserError, "is too small"),
        ({"memory": "900T"}, HostError, "needs .* available"),
        ({"settings": ("mood=good",)}, UserError, "unknown policy"),
        ({"scenario": "contiguous", "memory": "64M"}, UserError, "64 pageblocks in a row need nodes of at least 128 .*--memory 128 MiB"),
        ({"scenario": "contiguous", "nodes": 1}, UserError, "1 of 1 node.* use --nodes 2"),
        ({"scenario": "fragmented", "workers": 1}, UserError, "fragmentation.unmovable .*1 workers can hold .*more --workers"),
        ({"trace": Path("/nonexistent.npz")}, UserError, "no such trace file"),
        ({"json": Path("/nonexistent/x.json")}, UserError, "no such folder"),
    ],
)
def test_mistakes_are_found_first(changed, error, expected):
    with pytest.raises(error, match=expected) as caught:
        prepare(options(**changed))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scenario", ["storm", "zoo", "kmem", "fragmented", "contiguous", "hotplug"])
def test_two_workers_are_enough_for_every_scenario(scenario):
    setup = prepare(options(scenario=scenario, workers=None if scenario == "kmem" else 2, memory=None, nodes=None, frame_bytes=None))
    assert setup.geometry.nr_frames > 0


def test_a_trace_brings_its_workers_its_memory_and_no_meetings():
    setup = prepare(options(scenario="kmem", workers=None, memory=None))
    assert setup.geometry.nr_cpus == setup.request.trace.nr_cpus == len(setup.plans)
    assert setup.request.trace.peak_frames < setup.geometry.nr_frames < 2 * setup.request.trace.peak_frames
    replay = role_names().index("replay")
    assert all(np.flatnonzero(plan.weights).tolist() == [replay] for plan in setup.plans)
    with_storm = prepare(options(trace=SCENARIO_FOLDER / "kmem.npz", workers=2, memory=None))
    assert with_storm.request.scenario.meetings == ()
    with pytest.raises(UserError, match="the trace has 2 CPUs"):
        prepare(options(scenario="kmem", workers=3))


def test_replay_without_a_trace_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nsummary = ""\n[roles]\nreplay = 1\n')
    with pytest.raises(UserError, match="needs a trace"):
        prepare(options(scenario=str(path)))


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "--memory"),
        ({"memory": None, "nodes": 2}, "--nodes"),
        ({"memory": None, "trace": Path("t.npz")}, "--trace"),
        ({"memory": None, "scenario": "kmem"}, "--trace"),
        ({"memory": None, "scenario": "fragmented"}, "a scenario with [fragmentation]"),
    ],
)
def test_what_a_recording_decides_is_refused_beside_it(changed, name):
    with pytest.raises(UserError, match=re.escape(f"{name}: not with --snapshot")):
        prepare(options(snapshot=Path("r.npz"), **changed))


def test_a_setting_overrides_the_scenarios_policy_and_leaves_its_others(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nsummary = ""\n[policy]\nmigration = "list"\noffline = "zero"\n[roles]\nanon = 1\n')
    policies = prepare(options(scenario=str(path), settings=("offline=counted",))).config["policies"]
    assert (policies["migration"], policies["offline"], policies["refcount"]) == ("list", "counted", "cas")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # pytest-timeout has a thread
def test_a_storm_for_another_program_gives_its_machine_and_its_result_and_saves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path))
    machines = []
    result = perform(
        options(seconds=0.5, workers=2, memory="32M", save=True), lambda mem: machines.append((mem, mem.arrays["role_ops"].sum()))
    )
    ((mem, before),) = machines
    assert before == 0
    assert mem.arrays["role_ops"].sum() == sum(role["operations"] for role in result["roles"].values()) > 0
    assert result["verdict"] in ("clean", "vacuous")
    assert result["config"]["seed"] == mem.seed == 5
    assert list(tmp_path.iterdir()) == []
