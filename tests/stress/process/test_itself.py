"""This program started again, whatever the current folder holds."""

import subprocess

import pytest

from stress.process import itself


@pytest.mark.slow
def test_it_starts_itself_whatever_the_current_folder_holds(tmp_path):
    (tmp_path / "stress").mkdir()
    (tmp_path / "stress" / "__init__.py").touch()
    (tmp_path / "stress" / "__main__.py").write_text("print('another stress')")
    words, environment = itself.command("list", "scenarios"), itself.environment()
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "storm" in done.stdout
    assert "another stress" not in done.stdout


def test_changes_of_the_environment_come_last(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    environment = itself.environment(PFNSTORM_FLAVOUR="bounds")
    assert environment["PFNSTORM_FLAVOUR"] == "bounds"
    assert environment["PYTHONPATH"].endswith(":/elsewhere")
