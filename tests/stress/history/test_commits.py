"""The order of commits."""

import pytest

from stress.errors import HostError, UserError
from stress.history import commits
from tests.stress.history.kit import git, make_repository


@pytest.fixture
def repository(tmp_path, monkeypatch):
    made = make_repository(tmp_path, 4)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.slow
def test_order_is_that_of_the_repository_and_not_of_dates(repository, tmp_path):
    git(tmp_path, "checkout", "-q", "-b", "side", repository[1])
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "old", "--date=2001-01-01T00:00:00")
    side = git(tmp_path, "rev-parse", "HEAD")
    ordered = commits.in_order([repository[3], side, repository[0], repository[1]])
    assert set(ordered) == {*repository[:2], repository[3], side}
    assert ordered[:2] == repository[:2]
    assert commits.in_order([]) == []


@pytest.mark.slow
def test_commits_that_are_not_there_are_left_out(repository):
    assert commits.known_commits([repository[0], "f" * 40]) == {repository[0]}


@pytest.mark.slow
def test_revisions(repository):
    assert commits.commit_of("HEAD~1") == repository[2]
    assert commits.ancestors("HEAD~2") == [repository[1], repository[0]]
    assert commits.first_parents("main") == repository[::-1]
    assert commits.subjects(repository[:2]) == {repository[0]: "commit 0", repository[1]: "commit 1"}
    assert commits.subjects([]) == {}


@pytest.mark.parametrize("revision", ["nosuch", "", " ", "--all", "-x", "a\nb", "x" * 5000, "\udcff"])
def test_what_is_no_commit_is_one_line(repository, revision):
    with pytest.raises(UserError) as raised:
        commits.commit_of(revision)
    assert len(str(raised.value)) < 200


def test_a_revision_with_a_null_byte_is_refused(repository):
    with pytest.raises(UserError):
        commits.commit_of("a\0b")


def test_outside_of_a_repository_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UserError, match="not in a git repository"):
        commits.commit_of("HEAD")


def test_a_missing_git_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="git is needed"):
        commits.top_folder()
