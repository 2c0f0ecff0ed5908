"""The cost model: time by one worker is reproduced, the fit finds costs that made the points."""

import math
from dataclasses import replace

import pytest

from stress.predict.cost import TRAINING, HostCosts, access_ns, both_over_alone, fit_costs, two_cpus
from stress.predict.interpreted import VirtualJob, VirtualResult
from stress.predict.measured import WorkerRounds

PAIRS = {"get_put_shared": {}, "get_put_shared, refcount=frozen-bit": {"refcount": "frozen-bit"}}
BY_ONE = VirtualResult(1, 100, 100.0, 0, 0, 0, 0, 0, plain=10.0, atomics=2.0, pauses=0)


@pytest.mark.parametrize("alone_ns", [3.0, 6.5, 20.0, 300.0])
def test_accesses_add_up_to_what_one_worker_takes(alone_ns):
    plain_ns, atomic_ns = access_ns(alone_ns, BY_ONE, 3.0)
    assert plain_ns * BY_ONE.plain + atomic_ns * BY_ONE.atomics == pytest.approx(alone_ns)
    assert plain_ns > 0
    assert atomic_ns <= 3.0 or alone_ns > 7


def test_the_ratio_pairs_rounds():
    assert both_over_alone(WorkerRounds([1.0, 2.0, 4.0], [2.0, 4.0, 8.0])) == 2.0
    assert both_over_alone(WorkerRounds([0.0, 0.0], [100.0, 120.0])) == 110.0  # a primitive that takes two
    assert math.isnan(both_over_alone(WorkerRounds([1.0], None)))


class MadeInterpreters:
    """Answers by a formula in place of interpreting: a trip is a request and an answer."""

    def results(self, jobs, end_s=0.0):
        for job in jobs:
            trip_ns = job.hold_ns + job.transfer_ns
            in_one = 1 + job.hold_ns / job.atomic_ns
            shared_ns = (4 if job.policies else 5) * trip_ns / in_one
            ns = {"turns": 4 * trip_ns, "get_put_shared": shared_ns}[job.workload]
            yield replace(BY_ONE, nr_cpus=2, ops_per_us=2000 / ns)


@pytest.mark.slow
def test_the_fit_finds_the_costs_that_made_the_points():
    pytest.importorskip("scipy")
    made = HostCosts(3.0, 35.0, request_ns=30.0, transfer_ns=20.0, fitted=True)
    measured = {"add": WorkerRounds([3.0], None), "pause": WorkerRounds([35.0], None)}
    names = {"turns": ("turns", {}), **{name: ("get_put_shared", policies) for name, policies in PAIRS.items()}}
    one = {name: replace(BY_ONE, plain=0.0, atomics=2.0) for name in PAIRS}
    unmeasured = dict.fromkeys(TRAINING, WorkerRounds([6.0], None))
    assert not fit_costs(measured | unmeasured, one, None, str).fitted
    for name, (workload, policies) in names.items():
        alone_ns = 0.0 if workload == "turns" else 6.0
        job = two_cpus(workload, policies, made, WorkerRounds([alone_ns], None), one.get(name))
        (result,) = MadeInterpreters().results([job])
        measured[name] = WorkerRounds([alone_ns], [2000 / result.ops_per_us])
    assert set(TRAINING) == set(names)
    costs = fit_costs(measured, one, MadeInterpreters(), lambda _: None)
    assert costs.fitted
    assert (costs.request_ns, costs.transfer_ns) == pytest.approx((30.0, 20.0), rel=0.1)


def test_a_job_has_the_costs_of_the_host():
    costs = HostCosts(3.0, 35.0, 14.0, 13.0, True)
    job = costs.job(VirtualJob("bulk", 64, 2), 1.0, 2.0, 99.0)
    assert (job.pause_ns, job.hold_ns, job.transfer_ns, job.socket_ns) == (35.0, 14.0, 13.0, 99.0)
    assert (job.plain_ns, job.atomic_ns, job.nr_cpus, job.sockets) == (1.0, 2.0, 64, 2)
