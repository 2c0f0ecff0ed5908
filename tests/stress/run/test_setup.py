"""From a command line to a Setup: sizes, parameters and plans of known command lines stay what they are, number by number.

setups.json holds the first command line's setup whole, and of every other one what differs from it. After a deliberate change:
python -m tests.stress.run.test_setup
"""

import json
import os
import sys
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from stress import cli
from stress.errors import HostError, UserError
from stress.machine.host import Headroom
from stress.run import command
from tests.stress.snapshot import conftest as recordings

PINNED = Path(__file__).with_name("setups.json")
TRACE = Path(cli.__file__).with_name("scenarios") / "kmem.npz"
LINES = [
    "storm --seed 7",
    "storm --seed 5 --workers 3 --memory 64M",
    "storm --seed 8 --check full --chaos 0.01 --frame-bytes 512",
    "storm --workers 2 --memory 128M",
    "zoo --seed 1 --workers 2",
    "zoo --seed 1 --frame-bytes 256 --memory 128M --nodes 1",
    "kmem --seed 2",
    "kmem --seed 2 --memory 512M --nodes 2 --frame-bytes 128",
    "contiguous --seed 3",
    "contiguous --seed 3 --nodes 3 --memory 512M --workers 4",
    "hotplug --seed 4 --workers 6",
    "hotplug --seed 4 --set refcount=frozen-bit --set window_blocks=4 --set migration=list --memory 256M",
    "fragmented --seed 6 --workers 4",
    "fragmented --seed 6 --memory 32M --nodes 1 --set offline=counted",
    "--seed 9 --trace TRACE",
    "storm --seed 9 --trace TRACE --nodes 2 --workers 2 --frame-bytes 256",
    "storm --seed 5 --snapshot RECORDING --workers 2",
    "hotplug --seed 5 --snapshot RECORDING --frame-bytes 128 --set window_blocks=2",
]
PLENTY = Headroom(64 << 30, "a test")


def setups(folder, monkeypatch):
    """A function from a command line to its setup as plain values, on a host of three processors."""
    recording = folder / "recording.npz"
    np.savez(recording, **recordings.recorded(*recordings.made_up()))
    monkeypatch.setattr("stress.machine.sizes.usable_cores", lambda: 3)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 5})
    for module in ("stress.machine.host", "stress.machine.sizes", "stress.snapshot.load"):
        monkeypatch.setattr(f"{module}.memory_headroom", lambda *_: PLENTY)
    monkeypatch.setattr(os, "urandom", lambda nr_bytes: bytes(range(1, nr_bytes + 1)))
    given = []
    monkeypatch.setattr(command, "execute", lambda options: given.append(options) or 0)

    def setup_of(line):
        monkeypatch.setenv("PFNSTORM_FLAVOUR", "fast")
        words = line.replace("TRACE", str(TRACE)).replace("RECORDING", str(recording)).split()
        assert cli.app(["run", *words, "--no-save"], standalone_mode=False) == 0
        setup = command.prepare(given.pop())
        names = command.role_names()
        of_host = ("source_hash", "flavour", "geometry", "trace", "snapshot", "command")
        return {
            "geometry": asdict(setup.geometry),
            "params": setup.params,
            "cpus, pins and seeds": [[plan.cpu, plan.pin_to, plan.seed] for plan in setup.plans],
            "workers and weights": [
                [len([*group]), weights] for weights, group in groupby(weights_of(plan, names) for plan in setup.plans)
            ],
            "config": {name: value for name, value in setup.config.items() if name not in of_host},
            "meetings": list(setup.request.scenario.meetings),
            "filled from": [name for name in ("trace", "snapshot") if getattr(setup.request, name) is not None],
        }

    return setup_of


def weights_of(plan, names):
    return {name: weight for name, weight in zip(names, plan.weights, strict=True) if weight}


def differences(base, other):
    """What of a setup is not as in the base: whole lists, and single entries of dictionaries; None for an entry that is missing."""
    found = {}
    for name, value in other.items():
        if isinstance(value, dict):
            if changed := {key: value.get(key) for key in base[name] | value if base[name].get(key) != value.get(key)}:
                found[name] = changed
        elif value != base[name]:
            found[name] = value
    return found


@pytest.fixture
def setup_of(tmp_path, monkeypatch):
    return setups(tmp_path, monkeypatch)


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_gives_the_same_setup(setup_of, line):
    pinned = json.loads(PINNED.read_text())
    assert set(pinned) == set(LINES)
    setup = json.loads(json.dumps(setup_of(line)))
    if line == LINES[0]:
        assert setup == pinned[line]
    else:
        assert differences(pinned[LINES[0]], setup) == pinned[line]


def _pin():
    """Write setups.json as the code has it now."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder:
            setup_of = setups(Path(folder), monkeypatch)
            found = {line: setup_of(line) for line in LINES}
    rows = {line: setup if line == LINES[0] else differences(found[LINES[0]], setup) for line, setup in found.items()}
    text = ",\n".join(
        f'"{line}": {{\n' + ",\n".join(f' "{name}": {json.dumps(value)}' for name, value in row.items()) + "\n}"
        for line, row in rows.items()
    )
    PINNED.write_text(f"{{\n{text}\n}}\n")


if __name__ == "__main__":
    sys.exit(_pin())


@pytest.mark.parametrize("line", ["storm --seed 7", "zoo --workers 3 --set migration=list --chaos 0.01 --seed 1", "kmem --seed 2"])
def test_the_command_of_a_setup_gives_the_same_setup(setup_of, monkeypatch, line):
    shown = []
    prepare = command.prepare

    def noted(options):
        setup = prepare(options)
        shown.append(setup.config["command"])
        return setup

    monkeypatch.setattr(command, "prepare", noted)
    first = setup_of(line)
    words = shown[0].split()
    assert words[:2] == ["pfnstorm", "run"]
    assert setup_of(" ".join(words[2:])) == first


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("storm --workers 9", r"needs 9 processes, 2 allowed \(ulimit -u\): use fewer --workers"),
        ("kmem", r"needs 2 processes, 2 allowed \(ulimit -u\): each CPU of the trace is a worker: record fewer CPUs"),
    ],
)
def test_more_workers_than_processes_are_refused_with_a_remedy(setup_of, monkeypatch, line, expected):
    monkeypatch.setattr("resource.getrlimit", lambda _: (2, 2))
    with pytest.raises(HostError, match=expected):
        setup_of(line)


def test_interpreted_kernels_storm_with_one_worker_only(setup_of, monkeypatch):
    setups_seen = []
    prepare = command.prepare
    monkeypatch.setattr(command, "prepare", lambda options: setups_seen.append(prepare(options)) or setups_seen[-1])
    for line in ("storm --workers 2", "storm --workers 1"):
        setup_of(line)
    monkeypatch.setattr(command.flavour, "INTERPRETED", True)
    with pytest.raises(UserError, match="not atomic between processes: use --workers 1"):
        command.require_atomic(setups_seen[0])
    command.require_atomic(setups_seen[1])
