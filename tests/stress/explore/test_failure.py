"""Failures as files: written, read, and refused when kernels or words do not fit."""

import json

import pytest

from stress.errors import UserError
from stress.explore.diagnosis import Found
from stress.explore.failure import Failure, check_failures_folder, failure_of, kernels_hash, load_failure, save_failure
from tests.stress.explore.flavours import explored


def good_failure():
    from stress.explore.models import all_models

    return Failure(
        "refcount-cas", "sc", "random", 1, 0, kernels_hash(all_models()["refcount-cas"]), Found("bug", "BAD_FREE", "I8"), ((0, "load x"),)
    )


def test_a_failure_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "made" / "failure.json"
    save_failure(good_failure(), path)
    assert load_failure(path) == good_failure()
    assert load_failure(path).choices == [0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernels": "0123456789ab"}, "have changed since this failure was found"),
        ({"model": "no-such"}, "there is no model 'no-such'"),
        ({"schema": "pfnstorm-failure/0"}, "not a failure of this version"),
        ({"schedule": 3}, "not a failure file: schedule"),
        ({"schedule": [[0.5, "load x"]]}, r"not a failure file: schedule\.0\.0"),
        ({"memory": "arm"}, "not a failure file: memory"),
        ({"memory": []}, "not a failure file: memory"),
        ({"seed": -1}, "not a failure file: seed"),
        ({"found": None}, "not a failure file: found"),
        ({"found": {"verdict": "bug", "code": "NO_SUCH"}}, "there is no code 'NO_SUCH'"),
        ({"strategy": "luck"}, "there is no strategy 'luck'"),
        ({"more": 1}, "not a failure file: more"),
    ],
)
def test_a_failure_that_does_not_fit_is_refused_in_one_line(tmp_path, change, message):
    path = tmp_path / "failure.json"
    path.write_text(json.dumps(good_failure().to_json() | change))
    with pytest.raises(UserError, match=message) as caught:
        load_failure(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "", "{}"])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "failure.json"
    path.write_text(text)
    with pytest.raises(UserError, match="not a failure"):
        load_failure(path)


def test_a_folder_that_cannot_be_written_is_refused_before_there_is_a_failure(tmp_path):
    check_failures_folder(tmp_path / "made" / "later")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is not a folder"):
        check_failures_folder(tmp_path / "file" / "below")
    with pytest.raises(UserError, match="File exists"):
        save_failure(good_failure(), tmp_path / "file" / "failure.json")


@explored
def test_a_failure_has_the_choice_and_the_operation_of_every_step(engine_of, tmp_path):
    from stress.explore.shrink import shrink
    from tests.stress.explore.lost_update_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    number = engine.explore(0, 100_000) - 1
    found = engine.found()
    choices = shrink(engine, engine.choices(), found)
    failure = failure_of(engine, choices, found, "random", 1, number)
    assert failure.choices == choices
    assert failure.found == found
    assert [text for _, text in failure.schedule].count("store_relaxed scratch[0]") == 2
    save_failure(failure, tmp_path / "failure.json")
    with pytest.raises(UserError, match="there is no model 'lost-update'"):  # but all else of the file is in order
        load_failure(tmp_path / "failure.json")


@explored
def test_a_failure_before_the_first_step_has_an_empty_schedule(engine_of):
    from stress.explore.shrink import shrink
    from tests.stress.explore.bounds_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    engine.explore(0, 100)
    found = engine.found()
    assert failure_of(engine, shrink(engine, engine.choices(), found), found, "random", 1, 0).schedule == ()


@explored
def test_a_schedule_that_fails_only_once_is_a_bug_of_the_explorer(engine_of):
    from stress.explore.models import all_models

    engine = engine_of(all_models()["refcount-cas"])
    engine.begin("random", 1)
    engine.explore(0, 1)
    with pytest.raises(AssertionError, match="failed once and not again"):
        failure_of(engine, engine.choices(), Found("bug"), "random", 1, 0)
