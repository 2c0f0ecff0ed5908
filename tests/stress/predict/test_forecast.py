"""Points and tables of a forecast, without a host to measure."""

import json
from dataclasses import replace

import pytest

from stress.errors import UserError
from stress.predict import picture, show
from stress.predict.command import MAX_CPUS, chosen_cases, parse_cpus
from stress.predict.cost import TRAINING, HostCosts
from stress.predict.forecast import (
    SPREAD,
    Forecast,
    ForecastPoint,
    PredictedMachines,
    Validation,
    interpreted_points,
    ladder,
    law_of,
    validations,
)
from stress.predict.interpreted import VirtualResult
from stress.predict.measured import WorkerRounds
from stress.predict.workloads import BY_NAME, WORKLOADS, variant

COSTS = HostCosts(3.0, 35.0, 14.0, 13.0, True)
MACHINES = PredictedMachines((16, 64), 2, 52.0, None, 1)
RESULT = VirtualResult(1, 500, 100.0, 1.5, 0.5, 0.25, 2.0, 0, plain=10.0, atomics=2.0, pauses=1.0)
ROUNDS = WorkerRounds([10.0, 11.0, 12.0], [20.0, 22.0, 24.0])


class CannedInterpreters:
    """Every job gives RESULT, slower by what a transfer costs; `asked` keeps the jobs."""

    def __init__(self, ops=500):
        self.asked, self.ops = [], ops

    def results(self, jobs, end_s=0.0):
        for job in jobs:
            self.asked.append(job)
            yield replace(RESULT, nr_cpus=job.nr_cpus, ops=self.ops, ops_per_us=1000 / job.transfer_ns)


def made_forecast(name="bulk", points=True):
    found = [ForecastPoint(n, 70.0, 60.0, 80.0, replace(RESULT, nr_cpus=n)) for n in (1, 4, 16)] if points else []
    return Forecast(name, BY_NAME[name].title, BY_NAME[name].unit, 11.0, Validation(2.0, 2.5, 3, True), law_of(ROUNDS), found)


def test_the_spread_is_the_interval_of_the_machines_that_were_asked_for():
    cases, interpreters = [(BY_NAME["bulk"], {})], CannedInterpreters()
    points = interpreted_points(cases, {"bulk": 50.0}, {"bulk": RESULT}, COSTS, MACHINES, interpreters, lambda _: None, 0.0)
    assert [point.nr_cpus for point in points["bulk"]] == [1, 4, 16, 64]
    last = points["bulk"][-1]
    assert last.low == pytest.approx(last.ops_per_us / (1 + SPREAD))
    assert last.high == pytest.approx(last.ops_per_us / (1 - SPREAD))
    assert points["bulk"][0].low == points["bulk"][0].high
    assert {job.sockets for job in interpreters.asked if job.nr_cpus > 1} == {2}
    assert all(job.max_accesses >= job.nr_cpus * BY_NAME["bulk"].cycle_accesses for job in interpreters.asked)


def test_too_few_operations_are_no_point():
    cases = [(BY_NAME["bulk"], {})]
    assert interpreted_points(cases, {"bulk": 50.0}, {"bulk": RESULT}, COSTS, MACHINES, CannedInterpreters(3), lambda _: None, 0.0) == {}


def test_a_point_that_was_fitted_is_not_called_held_out():
    cases = [(BY_NAME[name], {}) for name in ("get_put_shared", "bulk")]
    rounds, one = (dict.fromkeys(("get_put_shared", "bulk"), each) for each in (ROUNDS, RESULT))
    found = validations(cases, rounds, one, COSTS, CannedInterpreters(), TRAINING)
    assert (found["get_put_shared"].held_out, found["bulk"].held_out) == (False, True)
    assert found["bulk"].measured == 2.0
    assert found["bulk"].predicted == pytest.approx(2 * 13.0 / 11.0)
    assert found["bulk"].error == pytest.approx(13.0 / 11.0 - 1)


def test_the_table_says_what_is_beyond_the_bound_and_what_was_fitted():
    fitted = replace_validation(made_forecast("get_put_own"), Validation(1.0, 1.5, 3, False))
    lines = "\n".join(show.validation_table([made_forecast(), fitted]))
    assert "+25.0 %  beyond 20 %" in lines
    assert "+50.0 %       fitted" in lines
    assert "held out, within 20 %: 0 of 1" in lines
    assert "could not be measured" in show.validation_table([])[0]


def replace_validation(forecast, validation):
    return Forecast(forecast.name, forecast.title, forecast.unit, forecast.alone_ns, validation, forecast.law, forecast.points)


def test_what_was_not_reached_is_said_and_the_law_is_there_anyway():
    lines = show.forecast_table([made_forecast()], MACHINES)
    assert any("not reached" in line and " 64 " in line for line in lines)
    assert any("70.0  (60.0 - 80.0)" in line for line in lines)
    assert "assumption" in "\n".join(show.assumptions(MACHINES, COSTS, socket_assumed=True))
    assert "as given" in "\n".join(show.assumptions(MACHINES, COSTS, socket_assumed=False))


def test_a_forecast_is_json():
    whole = json.loads(json.dumps(made_forecast().as_json((16, 64)), allow_nan=False))
    assert whole["two_workers"]["error"] == pytest.approx(0.25)
    assert [each["nr_cpus"] for each in whole["law"]] == [16, 64]


@pytest.mark.slow
def test_a_forecast_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    picture.plot([made_forecast(), made_forecast("cache_own", points=False)], MACHINES, "a host", tmp_path / "out.svg")
    drawn = (tmp_path / "out.svg").read_text(encoding="utf-8")
    said = ("allocate + free in bulk", "a host", "measured here", "law, 95 %", "MESI", "across", "no line moves")
    assert [text for text in said if text not in drawn] == []
    picture.plot([made_forecast()], MACHINES, "a host", tmp_path / "one.svg")


def test_machines_between_are_interpreted():
    assert ladder((64,)) == [1, 4, 16, 64]
    assert ladder((2, 3)) == [1, 2, 3]


@pytest.mark.parametrize("text", ["", "0", "x", "4,", "-1", "1.5", "٣", str(MAX_CPUS + 1), "9" * 5000])
def test_what_is_no_number_of_cpus_is_refused(text):
    with pytest.raises(UserError, match="--cpus"):
        parse_cpus(text)


def test_cpus_are_sorted_and_unique():
    assert parse_cpus("64, 2,64") == (2, 64)


def test_workloads_by_name_come_with_what_the_costs_are_fitted_to():
    names = [variant(workload.name, policies) for workload, policies in chosen_cases(["migrate"])]
    assert {*TRAINING, "pause", "migrate", "migrate, migration=list"} <= set(names)
    assert "bulk" not in names
    with pytest.raises(UserError, match="did you mean bulk"):
        chosen_cases(["bulkk"])
    assert len({each.name for each in WORKLOADS}) == len(WORKLOADS)
