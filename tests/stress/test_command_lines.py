"""Command lines drawn from each command's own parameters: every mistake is one line on stderr and a documented exit code.

The work itself is replaced: a command that gets as far as that has accepted its command line.
"""

import json
import random
import sys
from collections import Counter
from enum import Enum
from functools import cache
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import typer

from stress import cli
from stress.errors import PfnstormError
from stress.mutate import command as mutate_command
from stress.mutate.operators import mutants_of
from stress.storm.scenario import SCENARIO_FOLDER
from tests.stress.compare.canned import COMPARISON
from tests.stress.explore.test_failure import good_failure
from tests.stress.history.kit import make_repository, write_file
from tests.stress.litmus.test_file import SB
from tests.stress.run.canned import WHOLE
from tests.stress.storm.test_trace import columns
from tests.stress.test_damaged_files import recording_arrays

NR_LINES = 500
EXIT_CODES = {0, 1, 2, 3, 4, 5, 130}  # 70 is a bug
#: where the work of the commands begins
WORK = (
    *("stress.run.command.make_machine", "stress.snapshot.command.build_storm_entries", "stress.process.build.build_entries"),
    *("stress.process.build.build_flavours", "stress.bugs.command.storm_all", "stress.bugs.detect.run_detection"),
    *("stress.explore.command.compile_work", "stress.explore.compiling.build_models", "stress.explore.replay.subprocess"),
    *("stress.mutate.command.make_woven", "stress.history.judge.compare", "stress.history.measuring.run_asv"),
    "stress.compare.picture.saved",
)
COMMANDS = {info.name or info.callback.__name__: info.callback for info in cli.app.registered_commands}
ODD_TEXTS = (
    *("", " ", "-", "--", "x" * 300, "x" * 5000, "é\u2028ß", "\udcff", "a\nb", "\x1b[2J", "../..", "%s{}", "=", "a=b", "'\"", "*", "[a"),
    *("last", "storm", "kmem", "migration=list", "refcount=", "window_blocks=²", "SB", "dpor", "refcount-cas", "64M", "1e9T", "0", "4K"),
)
ODD_NUMBERS = (
    *("", "0", "-1", "1", "2", "3", "7", "64", "4096", "4097", "1.5", "0.5", "nan", "inf", "-inf", "1e308", "1e-320", "1e400", "x", "٣"),
    *("0x10", " 1", "1_000", "-0", "9" * 30, "9" * 5000, "2147483647", "2147483648", "1099511627777"),
)
#: by parameter: texts that a command accepts, so that a mistake beside them is reached; FILES is the folder that paths() fills
GOOD = {
    "scenario": ("storm", "zoo", "FILES/scenario.toml"),
    "seconds": ("1", "2.5"),
    "hours": ("0.1",),
    "workers": ("1", "2"),
    "nodes": ("1", "2"),
    "memory": ("64M", "128M", "sc"),
    "frame_bytes": ("64", "512"),
    "settings": ("migration=list", "refcount=cas"),
    "chaos": ("0.5",),
    "trace": ("FILES/trace.npz",),
    "snapshot": ("FILES/recording.npz",),
    "json": ("FILES/none.json", "/dev/null"),
    "plot": ("FILES/plot.svg",),
    "run": ("FILES/run.json",),
    "names": ("clean_writeback_leaks",),
    "axis": ("migration",),
    "models": ("refcount-cas",),
    "model": ("refcount-cas",),
    "strategy": ("dpor", "pct-3"),
    "failures": ("FILES",),
    "only": ("*buddy*",),
    "test": ("SB",),
    "commits": ("HEAD", "HEAD~1", "main~2"),
    "since": ("HEAD~1", "main~2"),
    "machine": ("desk",),
    "results": ("FILES/asv",),
    "most": ("1", "2"),
    "repeat": ("1",),
    "cpus": ("64", "16,64"),
    "sockets": ("1", "2"),
    "socket_ns": ("100",),
    "cache": ("1M",),
    "workload": ("bulk", "fault"),
    "saved": ("FILES/compare.json",),
}
GOOD_FILES = {"replay": "FILES/failure.json", "litmus": "FILES/litmus.json"}


class WorkBeginsError(PfnstormError):
    """The command line was accepted."""

    exit_code = 0


def begin(*_arguments, **_options):
    raise WorkBeginsError("the work begins")


begin.run = begin  # in place of the module subprocess: other commands need it before their work


def paths(folder):
    """Files of every kind that a command reads, and paths that are none."""
    (folder / "run.json").write_text(json.dumps(WHOLE))
    (folder / "failure.json").write_text(json.dumps(good_failure().to_json()))
    (folder / "compare.json").write_text(json.dumps(COMPARISON))
    (folder / "litmus.json").write_text(json.dumps({"tests": [SB]}))
    (folder / "scenario.toml").write_bytes((SCENARIO_FOLDER / "zoo.toml").read_bytes())
    np.savez(folder / "trace.npz", **columns())
    np.savez(folder / "recording.npz", **recording_arrays())
    for number, commit in enumerate(make_repository(folder.parent, 3)):
        write_file(folder / "asv" / "desk", commit, {"pairs.Pair.track_ratio": 2.0}, started_at=number)
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "a\nb.json").touch()
    made = [str(path) for path in sorted(folder.iterdir())]
    beside = [str(folder / name) for name in ("none.json", "none/x.json", "plot.svg", "plot", "run.json/below", "x" * 300)]
    beside += [f"{'x' * 300}/a.svg", "x/" * 3000]
    return [
        *made,
        *beside,
        "",
        "-",
        ".",
        "/",
        "//",
        "/dev/null",
        "/dev/full",
        "/dev/stdout",
        "/dev/fd/99",
        "/proc/x",
        "/proc/1/mem",
        "\udcff",
    ]


def value(rng, hint, bounds, files, good):
    """A text for a parameter of a type: one that is good, or one at, within or beyond its bounds, or of another type."""
    if good and rng.random() < 0.7:
        return rng.choice(good)
    kinds = [kind for kind in (get_args(hint) or (hint,)) if kind is not type(None)]
    kind = get_args(kinds[0])[0] if get_args(kinds[0]) else kinds[0]
    if issubclass(kind, Enum) and rng.random() < 0.7:
        return rng.choice([each.value for each in kind])
    if kind in (int, float) and rng.random() < 0.9:
        limits = [limit for limit in bounds if limit is not None]
        near = [str(each) for limit in limits for each in (limit, limit - 1, limit + 1)]
        return rng.choice(near if near and rng.random() < 0.5 else ODD_NUMBERS)
    return rng.choice(files if (kind is Path) is (rng.random() < 0.9) else ODD_TEXTS)


def command_line(rng, name, command, files):
    """The words of a command with some of its parameters, in any order; now and then one that it does not have."""
    hints, words = get_type_hints(COMMANDS[name]), []
    for parameter in command.params:
        chance = 0.9 if parameter.required else 0.25
        while rng.random() < chance:
            bounds = (getattr(parameter, "min", None), getattr(parameter, "max", None))
            option = rng.choice([*parameter.opts, *parameter.secondary_opts])
            good = GOOD.get(parameter.name, [GOOD_FILES[name]] if parameter.name == "file" else ())
            drawn = value(rng, hints[parameter.name], bounds, files, [each.replace("FILES", str(Path(files[0]).parent)) for each in good])
            is_argument, is_flag = not option.startswith("-"), hints[parameter.name] is bool
            words.append([*([] if is_argument else [option]), *([] if is_flag else [drawn])])
            chance = 0.5 if parameter.multiple else 0.02
    if rng.random() < 0.05:
        words.append([rng.choice(["--bogus", "--help", "--", "-x", "--json", "extra", "--seed=", "--workers=-1", "\udcff"])])
    rng.shuffle(words)
    return [name, *(word for pair in words for word in pair)]


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run a command line in this process, up to its work: (exit code, stderr)."""
    for place in WORK:
        monkeypatch.setattr(place, begin)
    mutants, nets = cache(mutants_of), cache(lambda *_: [])
    monkeypatch.setattr(mutate_command, "mutants_of", mutants)
    monkeypatch.setattr(mutate_command, "model_nets", lambda *_, **__: nets())
    monkeypatch.setattr(mutate_command, "storm_nets", lambda *_: nets())
    monkeypatch.setenv("PFNSTORM_FLAVOUR", "fast")
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path / "results"))
    monkeypatch.chdir(tmp_path)
    typed = typer.main.get_command(cli.app)
    monkeypatch.setattr(cli, "app", typed)

    def run(words):
        monkeypatch.setattr(sys, "argv", ["pfnstorm", *words])
        for stream in (sys.stdout, sys.stderr):  # as main() does
            stream.reconfigure(errors="replace")
        status = cli._run_app()
        return status, capsys.readouterr().err

    run.commands = typed.commands
    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_line_is_accepted_or_refused_in_one_line(name, command, tmp_path):
    (tmp_path / "files").mkdir()
    files = paths(tmp_path / "files")
    seen = Counter()
    for number in range(NR_LINES):
        words = command_line(random.Random(f"{name}:{number}"), name, command.commands[name], files)
        status, err = command(words)
        where = f"line {number}: {[each[:80] for each in words]}: exit code {status}: {err[:3000]}"
        assert status in EXIT_CODES, where
        assert "Traceback" not in err, where
        if status:
            assert err.startswith("pfnstorm: "), where
            assert err.count("\n") == 1, where
            assert len(err) < 2000, where
        seen[status] += 1
    assert seen[0] >= NR_LINES // 50, f"hardly any command line is accepted: {seen}"
    assert seen[2] >= NR_LINES // 50, f"hardly any command line is refused: {seen}"


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "--plot", f"{'x' * 300}/a.svg"),
        ("compare", "--plot", "/proc/a.svg"),
        ("compare", "--axis", "a\nb"),
        ("bugs", "--json", "files/circle"),
        ("explore", "--failures", "files/circle"),
        ("replay", "files/a\nb.json"),
        ("run", "--trace", "files/trace.npz", "--memory", "4K"),
        ("run", "--set", "x" * 5000),
    ],
)
def test_mistakes_that_had_more_than_one_line(words, command, tmp_path):
    (tmp_path / "files").mkdir()
    paths(tmp_path / "files")
    status, err = command(words)
    assert status == 2
    assert err.startswith("pfnstorm: ")
    assert err.count("\n") == 1
    assert len(err) < 2000
