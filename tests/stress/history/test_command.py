"""`pfnstorm history` on results in a small repository; asv itself is replaced where it would measure."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from stress.errors import EXIT_CLEAN, EXIT_VACUOUS, EXIT_VIOLATED, HostError, UserError
from stress.history import command
from stress.history.asv_files import repeats_folder
from stress.history.command import HistoryOptions, execute
from tests.stress.history.kit import ENV, git, make_repository, write_benchmarks, write_file

pytestmark = pytest.mark.slow

NAMES = ("pairs.Pair.track_ratio", "pairs.Pair.track_cost", "pairs.Pair.track_slow_share", "start.Import.track_import")
NR_COMMITS = 12
RESULTS = Path("results/asv")


def values(number, *, slower=1.0):
    """What a run gives: calm, and other in each run."""
    wobble = 1 + 0.004 * (number % 3)
    ratios = {"'buddy'": 2.0 * wobble * slower, "'bitfield'": 3.0 * wobble}
    costs, shares = dict.fromkeys(ratios, 1e-8 * (1 + number % 2)), dict.fromkeys(ratios, 0.25)
    return dict(zip(NAMES, (ratios, costs, shares, 0.3 * wobble), strict=True))


@pytest.fixture
def commits(tmp_path, monkeypatch):
    """A repository whose last commit loses 20 % in one cell; the results of all commits lie in RESULTS."""
    made = make_repository(tmp_path, NR_COMMITS)
    monkeypatch.chdir(tmp_path)
    for number, commit in enumerate(made):
        write_file(RESULTS / "desk", commit, values(number, slower=1.2 if commit == made[-1] else 1.0), started_at=number)
    write_benchmarks(RESULTS, NAMES[:3], params=("'buddy'", "'bitfield'"))
    return made


def options(**changes):
    given = {"commits": (), "since": None, "machine": None, "results": RESULTS, "measure": False, "most": None}
    return HistoryOptions(**(given | {"confirm": False, "repeat": 0, "json": None, "plot": None} | changes))


def repetitions(pair, *, slower, count=3):
    """Repetitions of both commits as asv would have made them."""
    for number in range(1, count + 1):
        folder = repeats_folder(RESULTS) / f"{number:03d}" / "desk"
        write_file(folder, pair[0], values(number), started_at=100 + number)
        write_file(folder, pair[1], values(number, slower=slower), started_at=100 + number)


def test_a_loss_of_one_run_is_unconfirmed_and_exits_with_0(commits, capsys):
    assert execute(options()) == EXIT_CLEAN
    said = capsys.readouterr().out
    assert "unconfirmed: one run may be a spike" in said
    assert "pairs  Pair.track_ratio('buddy')" in said
    assert "'bitfield'" not in said
    assert said.splitlines()[-1].startswith("verdict: undecided: no losses and no gains confirmed")


def test_a_repeated_loss_exits_with_1(commits, capsys, tmp_path):
    repetitions(commits[-2:], slower=1.2)
    assert execute(options(json=tmp_path / "out.json")) == EXIT_VIOLATED
    said = capsys.readouterr().out
    assert "slower, confirmed" in said
    assert said.splitlines()[-1].startswith("verdict: slower: 1 loss (high relevance) and no gains confirmed")
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["schema"] == command.SCHEMA
    assert (written["older"], written["newer"]) == tuple(commits[-2:])
    confirmed = [each for each in written["cells"] if each["shown"] == "confirmed"]
    assert [each["cell"]["params"] for each in confirmed] == [["'buddy'"]]
    assert confirmed[0]["ratio"] == pytest.approx(1.2, abs=0.01)
    assert confirmed[0]["slow_shares"] == [0.25, 0.25]


def test_a_spike_exits_with_0(commits, capsys):
    repetitions(commits[-2:], slower=1.0)
    assert execute(options()) == EXIT_CLEAN
    said = capsys.readouterr().out
    assert "not repeated: a spike, and no change" in said
    assert "verdict: no relevant change" in said


def test_two_commits_and_since(commits, capsys):
    assert execute(options(commits=(commits[2], commits[5]))) == EXIT_CLEAN
    said = capsys.readouterr().out
    assert f"from {commits[2][:8]} commit 2" in said
    assert f"to   {commits[5][:8]} commit 5" in said
    assert "lasting" not in said, "the whole history was not asked for"
    execute(options(since="HEAD~4"))
    assert f"from {commits[-5][:8]} " in capsys.readouterr().out


def test_since_a_commit_that_is_not_measured_means_its_nearest_ancestor(commits, capsys):
    next((RESULTS / "desk").glob(f"{commits[6][:8]}-*")).unlink()
    execute(options(since=commits[6]))
    assert f"from {commits[5][:8]} " in capsys.readouterr().out
    with pytest.raises(UserError, match="is not measured on desk"):
        execute(options(commits=(commits[6], commits[7])))


def test_a_lasting_loss_is_confirmed_by_the_commits_after_it(commits, capsys):
    for number, commit in enumerate(commits):
        write_file(RESULTS / "desk", commit, values(number, slower=1.2 if number >= 7 else 1.0), started_at=number)
    assert execute(options(since=commits[6])) == EXIT_VIOLATED
    said = capsys.readouterr().out
    assert f"lasting changes in {NR_COMMITS} commits" in said
    assert f"{commits[7][:8]} commit 7" in said


def test_commits_of_another_repository_are_left_out(commits, capsys):
    write_file(RESULTS / "desk", "f" * 40, values(1))
    execute(options())
    assert "1 measured commits are not in this repository: left out" in capsys.readouterr().out


def test_nothing_to_judge_exits_with_5(commits, capsys):
    for commit in commits[1:]:
        next((RESULTS / "desk").glob(f"{commit[:8]}-*")).unlink()
    assert execute(options()) == EXIT_VACUOUS
    write_file(RESULTS / "desk", commits[1], {"other.Thing.track_it": 1.0})
    assert execute(options()) == EXIT_VACUOUS
    assert "no cell in common" in capsys.readouterr().out


def test_another_version_is_another_benchmark(commits, capsys):
    write_file(RESULTS / "desk", commits[-1], {NAMES[0]: {"'buddy'": 9.0}, NAMES[3]: 0.3}, version="2")
    write_file(RESULTS / "desk", commits[-2], {NAMES[0]: {"'buddy'": 2.0}, NAMES[3]: 0.3}, version="1")
    assert execute(options(commits=tuple(commits[-2:]))) == EXIT_VACUOUS


def test_a_machine_has_to_be_chosen_if_there_are_several(commits, monkeypatch):
    write_file(RESULTS / "lap", commits[0], values(1))
    monkeypatch.setattr("stress.history.measuring.machine_of_host", lambda: "elsewhere")
    with pytest.raises(UserError, match="results of desk, lap"):
        execute(options())
    with pytest.raises(UserError, match="no results of machine 'shelf'; there are those of desk, lap"):
        execute(options(machine="shelf"))
    assert execute(options(machine="desk")) == EXIT_CLEAN


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"commits": ("HEAD",)}, "two commits"),
        ({"commits": ("HEAD", "HEAD~1"), "since": "HEAD~2"}, "either two commits or --since"),
        ({"commits": ("HEAD", "HEAD")}, "is both commits"),
        ({"since": "HEAD"}, "is the newest commit that is measured"),
        ({"since": "nosuch"}, "is no commit of this repository"),
        ({"machine": "../desk"}, "a name is needed"),
        ({"results": Path("none")}, "no such folder"),
        ({"plot": Path("out.txt")}, "an .svg, .png or .pdf"),
    ],
)
def test_mistakes(commits, monkeypatch, changes, complaint):
    monkeypatch.setattr("stress.history.measuring.machine_of_host", lambda: "elsewhere")
    with pytest.raises(UserError, match=complaint):
        execute(options(**changes))


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "asv", None)
    with pytest.raises(HostError, match=r"history needs asv: pip install 'pfnstorm\[history\]'"):
        execute(options())


class FakeAsv:
    """asv: writes results as `asv run` does, in the order of the commits that it is given."""

    def __init__(self, monkeypatch, slower, newest):
        self.slower, self.newest, self.words, self.measured, self.status = slower, newest, [], [], 0
        monkeypatch.setattr("stress.history.measuring.run_asv", self)
        monkeypatch.setattr("asv.machine.MachineCollection.get_machine_file_path", lambda: "machines.json")

    def __call__(self, words):
        self.words.append(list(words))
        config = json.loads(Path(words[words.index("--config") + 1]).read_text())
        assert Path(config["repo"]).is_absolute()
        hashes = Path(next(word for word in words if word.startswith("HASHFILE:"))[9:]).read_text().split()
        for commit in hashes:
            self.measured.append(commit)
            factor = self.slower if commit == self.newest else 1.0
            folder = Path(config["results_dir"]) / words[words.index("--machine") + 1]
            write_file(folder, commit, values(len(self.measured), slower=factor), started_at=1000 + len(self.measured))
        return self.status


@pytest.fixture
def fake_asv(commits, monkeypatch):
    Path("asv.conf.json").write_text(json.dumps({"version": 1, "repo": ".", "results_dir": str(RESULTS)}))

    def make(slower):
        return FakeAsv(monkeypatch, slower, commits[-1])

    return make


def test_confirming_repeats_the_suspected_cells_in_alternation(commits, fake_asv, capsys):
    asv = fake_asv(1.2)
    assert execute(options(confirm=True, machine="desk")) == EXIT_VIOLATED
    older, newer = commits[-2:]
    assert asv.measured == [older, newer, newer, older, older, newer]
    chosen = [words[words.index("--bench") + 1] for words in asv.words if "--bench" in words]
    assert chosen == [r"^pairs\.Pair\.track_ratio\('buddy'\)$"] * 3
    assert sorted(path.name for path in repeats_folder(RESULTS).iterdir()) == ["001", "002", "003"]
    assert "slower, confirmed" in capsys.readouterr().out


def test_confirming_a_spike_finds_no_loss(commits, fake_asv):
    fake_asv(1.0)
    assert execute(options(confirm=True, machine="desk")) == EXIT_CLEAN


def test_measuring_takes_the_commits_since_the_newest_measured_one(commits, fake_asv, capsys):
    asv = fake_asv(1.0)
    for commit in commits[-3:]:
        next((RESULTS / "desk").glob(f"{commit[:8]}-*")).unlink()
    assert execute(options(measure=True, confirm=True, machine="desk")) == EXIT_CLEAN
    assert asv.measured == commits[-3:]
    assert "desk" in json.loads(Path("machines.json").read_text())
    said = capsys.readouterr().out
    assert "new commits to measure: 3" in said
    assert f"from {commits[-4][:8]} " in said, "they are compared with the newest one that was measured before"


def test_at_most_so_many_commits_are_measured(commits, fake_asv):
    asv = fake_asv(1.0)
    for commit in commits[-3:]:
        next((RESULTS / "desk").glob(f"{commit[:8]}-*")).unlink()
    execute(options(measure=True, most=1, machine="desk"))
    assert asv.measured == commits[-1:]


def test_the_first_time_the_newest_commit_alone_is_measured(commits, fake_asv, capsys):
    asv = fake_asv(1.0)
    assert execute(options(measure=True, machine="new")) == EXIT_CLEAN
    assert asv.measured == commits[-1:]
    said = capsys.readouterr().out
    assert "asv run --machine new HEAD~5..HEAD` measures older ones" in said
    assert "a comparison needs two" in said


def test_a_commit_of_which_some_benchmarks_fail_is_judged_by_the_others(commits, fake_asv):
    asv = fake_asv(1.2)
    asv.status = 2
    assert execute(options(confirm=True, machine="desk")) == EXIT_VIOLATED


def test_asv_that_fails_ends_the_command(commits, fake_asv):
    fake_asv(1.2).status = 1
    with pytest.raises(HostError, match="asv run has failed"):
        execute(options(confirm=True, machine="desk"))


def test_repeating_measures_the_newer_commit_again(commits, fake_asv, capsys):
    asv = fake_asv(1.2)
    assert execute(options(repeat=4, machine="desk")) == EXIT_VIOLATED, "the commits before are at the old level in each of their runs"
    assert asv.measured == commits[-1:] * 4
    assert "4 repeated runs" in capsys.readouterr().out


def test_the_plot_marks_a_lasting_change(commits, tmp_path):
    pytest.importorskip("matplotlib")
    for number, commit in enumerate(commits):
        write_file(RESULTS / "desk", commit, values(number, slower=1.2 if number >= 7 else 1.0), started_at=number)
    execute(options(plot=tmp_path / "out.svg"))
    drawn = (tmp_path / "out.svg").read_text()
    assert f"+20.0 % {commits[7][:8]}" in drawn
    assert all(text in drawn for text in ("Pair.track_ratio('buddy')", "Import.track_import", "calibrations", "desk: 12 commits"))
    assert "track_cost" not in drawn


def test_outside_of_a_repository_one_line_says_so(commits, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / ".git").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="not in a git repository"):
        execute(options())


def test_a_merged_branch_is_compared_with_its_ancestor(commits, capsys):
    git(Path.cwd(), "checkout", "-q", "-b", "side", commits[3])
    git(Path.cwd(), "commit", "-q", "--allow-empty", "-m", "on the side")
    side = git(Path.cwd(), "rev-parse", "HEAD")
    write_file(RESULTS / "desk", side, values(2), started_at=50)
    execute(options())
    said = capsys.readouterr().out
    assert f"from {commits[3][:8]} commit 3" in said
    assert f"to   {side[:8]} on the side" in said


def test_values_that_are_missing_are_not_compared(commits, capsys):
    write_file(RESULTS / "desk", commits[-1], {NAMES[0]: {"'buddy'": math.nan, "'bitfield'": 3.0}}, started_at=20)
    assert execute(options()) == EXIT_CLEAN
    assert "not compared: 2 cells that only one of both commits has" in capsys.readouterr().out
    assert ENV not in capsys.readouterr().out


def test_no_other_command_loads_the_libraries_of_this_one():
    # numba itself imports the top of scipy (numba/__init__.py), some 20 ms
    code = "import sys, stress.cli, stress.run.command; sys.exit(bool({'scipy.stats', 'asv'} & set(sys.modules)))"
    root = str(Path(command.__file__).resolve().parents[2])
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=120).returncode == 0
