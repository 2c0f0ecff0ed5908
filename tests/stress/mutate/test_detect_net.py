"""Trials of a model: one seed each, until one fails, all are made, or the time is over."""

import os
import time
from types import SimpleNamespace

import pytest

from stress.explore import state
from stress.explore.diagnosis import Found
from stress.mutate import detect_net
from stress.mutate.detect_net import Detection, DetectNet, detect
from stress.mutate.messages import DetectRequest

MODEL = SimpleNamespace(name="m", is_judged=False, at_rest=False, oracle=None)
RACE = Found("race", "pte")


class ScriptedEngine:
    """Fails at a schedule that depends on the seed; explores a whole slice in one step."""

    failing: dict[int, int]  # seed -> the number of its first failing schedule, from 1
    complete = False
    took_s = 0.0

    def __init__(self, model, memory):
        self.model, self.memory, self.verdict, self.words = model, memory, "clean", {}

    def begin(self, strategy, seed):
        self.seed, self.at = seed, 0

    def forget_states(self):
        pass

    def explore(self, first, nr_schedules, *, note_every):
        assert note_every == 0
        time.sleep(self.took_s)
        fails = self.failing.get(self.seed, 1 << 40)
        self.at = min(first + nr_schedules, fails) if fails > first else first + nr_schedules
        self.has_failed = self.at == fails
        self.stop = state.STOP_FAILURE if self.has_failed else state.STOP_COMPLETE if self.complete else state.STOP_BUDGET
        return self.at

    def found(self):
        return RACE if self.has_failed else None


@pytest.fixture
def engine(monkeypatch):
    scripted = type("Scripted", (ScriptedEngine,), {"failing": {}})
    monkeypatch.setattr(detect_net, "Engine", scripted)
    return scripted


def request(trials=3, cap=10_000, seconds=60.0):
    return DetectRequest(1, "sc", "pos", trials, cap, seconds)


def test_each_trial_has_the_number_of_its_first_failing_schedule(engine):
    engine.failing = {1: 7, 3: 9000}
    assert detect(MODEL, request()) == Detection("race pte", [7, None, 9000])


def test_a_failure_beyond_the_cap_is_not_found(engine):
    engine.failing = {1: 10_001}
    assert detect(MODEL, request(trials=1)) == Detection("", [None])


def test_trials_that_are_not_begun_in_time_are_left_out(engine):
    engine.took_s = 0.02
    detection = detect(MODEL, request(trials=100, cap=1, seconds=0.05))
    assert 1 <= len(detection.numbers) < 10
    assert detection.found == ""


def test_a_model_that_is_explored_to_its_end_is_not_explored_again(engine):
    engine.complete = True
    assert detect(MODEL, request(trials=1, cap=1 << 40)) == Detection("", [None])


def test_a_preparation_that_fails_is_found_at_the_first_schedule_of_every_trial(monkeypatch):
    def broken(model, memory):
        raise AssertionError("I1 in its preparation")

    monkeypatch.setattr(detect_net, "Engine", broken)
    assert detect(MODEL, request()) == Detection("I1 in its preparation", [1, 1, 1])


def net():
    made = DetectNet.__new__(DetectNet)  # without compiling the model
    made._model = MODEL
    return made


def test_the_answer_has_the_numbers_of_the_trials(engine):
    engine.failing = {2: 5}
    answer = net().answer(vars(request()))
    assert (answer.found, list(answer.numbers)) == ("race pte", [None, 5, None])
    assert answer.seconds > 0


def test_a_crash_is_found_at_no_known_schedule(monkeypatch):
    monkeypatch.setattr(detect_net, "Engine", lambda model, memory: os._exit(9))
    answer = net().answer(vars(request()))
    assert (answer.found, list(answer.numbers)) == ("died", [])
