"""The time of a command: what is announced, what each search gets, and forecasts that turn out wrong. The clock is the test's."""

import io
import re

import pytest

from stress.explore.budget import GUESSED_UNIT_S, Budget
from stress.explore.compiling import CompileWork

UNITS = 10 / GUESSED_UNIT_S  # guessed at ten seconds


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def budget_of(seconds, jobs, scheduler=0.0, models=0):
    out, clock = io.StringIO(), Clock()
    work = CompileWork(scheduler, {f"model-{number}": UNITS for number in range(models)})
    return Budget(seconds, jobs, work, out, clock), clock, out


def said(out):
    """The whole seconds of each announcement: what compiling adds, and the command in all."""
    return [tuple(map(int, each)) for each in re.findall(r"about (\d+) s more.*, (\d+) s in all", out.getvalue())]


def test_a_warm_cache_adds_nothing():
    budget, clock, out = budget_of(20.0, 2)
    budget.announce()
    clock.now += 5
    assert (out.getvalue(), budget.left_s, budget.is_over) == ("", 15.0, False)
    clock.now += 15
    assert budget.is_over


@pytest.mark.parametrize(("jobs", "added"), [(1, 70), (3, 30)])
def test_what_compiling_adds_is_announced_before(jobs, added):
    budget, _, out = budget_of(20.0, jobs, scheduler=UNITS, models=6)
    budget.announce()
    assert said(out) == [(added, 20 + added)]
    assert out.getvalue().startswith("the scheduler and 6 models to compile, once: about")
    assert budget.left_s == pytest.approx(20 + added)


def test_the_announced_time_holds_if_compiling_takes_about_as_long():
    budget, clock, out = budget_of(20.0, 2, models=2)
    budget.announce()
    for name in ("model-0", "model-1"):
        budget.compiling(name)
    clock.now += 11.5
    for name in ("model-0", "model-1"):
        budget.compiled(name, 11.5)
    assert said(out) == [(10, 30)]
    assert budget.left_s == 30 - 11.5


@pytest.mark.parametrize(
    ("seconds", "models", "took_s", "wanted"),
    [
        (20.0, 4, 20.0, [(40, 60), (80, 100)]),
        (2.0, 2, 10.6, [(20, 22), (21, 23)]),  # half of a short exploration is left
        (2.0, 2, 10.4, [(20, 22)]),
    ],
)
def test_compiling_that_takes_much_longer_is_announced_again_from_what_was_measured(seconds, models, took_s, wanted):
    budget, clock, out = budget_of(seconds, 1, models=models)
    budget.announce()
    budget.compiling("model-0")
    clock.now += took_s
    budget.compiled("model-0", took_s)
    assert said(out) == wanted
    assert budget.left_s == pytest.approx(wanted[-1][1] - took_s, abs=0.5)


def test_what_compiling_does_not_take_is_for_exploring():
    budget, _, out = budget_of(20.0, 1, models=4)
    budget.announce()
    for name in list(budget.uncompiled):
        budget.compiled(name, 1.0)
    assert said(out) == [(40, 60)]
    assert budget.left_s == pytest.approx(60.0)
    assert budget.share_s(0.0, 1) == pytest.approx(60.0, rel=0.02)


def test_a_model_that_compiles_too_long_is_noticed_before_it_is_done():
    budget, clock, out = budget_of(20.0, 1, models=1)
    budget.announce()
    budget.compiling("model-0")
    clock.now += 40
    budget.revise()
    assert said(out) == [(10, 30), (40, 60)]


def test_the_scheduler_tells_how_fast_models_compile():
    budget, clock, out = budget_of(20.0, 2, scheduler=UNITS, models=2)
    budget.announce()
    clock.now += 30
    budget.scheduler_built(30.0)
    assert said(out) == [(20, 40), (60, 80)]


def test_schedules_have_no_limit_and_a_forecast():
    budget, clock, out = budget_of(None, 2, models=4)
    budget.announce()
    clock.now += 1e6
    assert "4 models to compile, once: about 20 s more with 2 jobs\n" in out.getvalue()
    assert (budget.left_s, budget.is_over, budget.share_s(0.0, 10)) == (None, False, None)


def test_shares_are_of_what_is_left_after_compiling_and_running_searches():
    budget, clock, _ = budget_of(100.0, 2, models=1)
    budget.announce()  # 105 s
    assert budget.share_s(20.0, 10) == pytest.approx((2 * 102 - 10 - 20) / 10)
    budget.compiling("model-0")
    clock.now += 4
    assert budget.share_s(20.0, 10) == pytest.approx((2 * 98 - 6 - 20) / 10)
    budget.search_ended(1.0, 1.5)
    budget.search_ended(1.0, 0.2)
    assert budget.share_s(20.0, 10) == pytest.approx((2 * 98 - 6 - 20) / 10 - 0.25)
