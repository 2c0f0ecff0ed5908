"""The command line without a storm: each mistake is one line on stderr and its exit code."""

import sys

import pytest

import pfnstorm
from stress import cli
from stress.errors import EXIT_OF_VERDICT


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a command line in this process: (exit code, stdout, stderr)."""

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["pfnstorm", *words])
        status = cli._run_app()
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", "--workers", "0"], "--workers 0: must be between 1 and"),
        (["run", "--workers", "10000000"], "--workers 10000000: must be between 1 and"),
        (["run", "--workers", "many"], "--workers"),
        (["run", "--seconds", "0"], "--seconds: must be above 0"),
        (["run", "--seconds", "nan"], "--seconds: must be above 0"),
        (["run", "--hours", "1", "--seconds", "1"], "either --seconds or --hours"),
        (["run", "--nodes", "0"], "--nodes 0"),
        (["run", "--frame-bytes", "100"], "--frame-bytes 100: must be a power of two"),
        (["run", "--chaos", "1.5"], "--chaos 1.5: must be between 0 and 1"),
        (["run", "--seed", "-1"], "--seed -1"),
        (["run", "--check", "some"], "--check"),
        (["run", "--bogus"], "--bogus"),
        (["list", "cheese"], "cheese"),
        (["report", "/nonexistent"], "no run '/nonexistent'"),
        (["nosuch"], "nosuch"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(command, words, expected):
    status, out, err = command(*words)
    assert status == 2
    assert out == ""
    assert err.startswith("pfnstorm: ")
    assert err.count("\n") == 1
    assert expected in err


@pytest.mark.parametrize("what", [each.value for each in cli.Listing])
def test_list(command, what):
    status, out, err = command("list", what)
    assert (status, err) == (0, "")
    assert out


def test_list_without_a_name_prints_every_listing_below_its_name(command):
    status, out, _ = command("list")
    assert status == 0
    assert [line for line in out.splitlines() if not line.startswith(" ")] == [f"{each.value}:" for each in cli.Listing]


def test_checked_flavour_is_chosen_unless_a_stronger_one_is(monkeypatch):
    for before, checked, after in [("fast", True, "checked"), ("bounds", True, "bounds"), ("fast", False, "fast")]:
        monkeypatch.setenv("PFNSTORM_FLAVOUR", before)
        cli._choose_flavour(checked=checked)
        assert cli.os.environ["PFNSTORM_FLAVOUR"] == after


def test_every_verdict_has_its_exit_code():
    assert EXIT_OF_VERDICT == {"clean": 0, "violated": 1, "died": 3, "stalled": 3, "vacuous": 5, "interrupted": 130}


def test_an_unexpected_error_is_no_verdict(monkeypatch, capsys):
    monkeypatch.setattr(cli, "app", lambda **_: 1 / 0)
    assert cli._run_app() == 70
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "a bug in pfnstorm" in said.splitlines()[-1]


def test_an_interrupt_is_reported(monkeypatch, capsys):
    monkeypatch.setattr(cli, "app", lambda **_: 130)
    assert cli._run_app() == 130
    assert capsys.readouterr().err == "pfnstorm: interrupted\n"


def test_shadowing_packages_are_named(tmp_path, monkeypatch):
    assert pfnstorm.shadowed_by(tmp_path).startswith("package 'kernels' is hidden by ")
    monkeypatch.undo()
    root = type(tmp_path)(pfnstorm.__file__).resolve().parent
    assert pfnstorm.shadowed_by(root) is None
