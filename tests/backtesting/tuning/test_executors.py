from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hindscale.backtesting import Backtest
from hindscale.backtesting.tuning.executors import Task, executor, perform
from hindscale.core import ParameterError

TASKS = [Task("target-tracking", 0), Task("target-tracking:target_per_replica=1", 1), Task("predictive", 0)]


def test_a_run_is_the_one_of_a_backtest(plan: Backtest) -> None:
    outcome = plan.perform(plan.runs[0])
    assert perform(plan, TASKS[0]) == outcome.scores


def test_processes_give_the_same_scores_as_one(plan: Backtest) -> None:
    with executor(plan, jobs=1) as here:
        alone = dict(here.perform(TASKS))
    with executor(plan, jobs=2) as pool:
        assert dict(pool.perform(TASKS)) == alone
        assert dict(pool.perform(TASKS[:1])) == {TASKS[0]: alone[TASKS[0]]}  # the pool stays


def test_ray_gives_the_same_scores(plan: Backtest) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray (extra: ray) is not installed")
    with executor(plan, jobs=1) as here:
        alone = dict(here.perform(TASKS))
    with executor(plan, ray=True) as cluster:
        assert dict(cluster.perform(TASKS)) == alone


def test_without_ray_the_way_out_is_said(plan: Backtest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ParameterError, match=r"--ray needs Ray; install it with: pip install 'hindscale\[ray\]'"):
        executor(plan, ray=True).__enter__()


class FakeRay:
    """What is used of Ray, done at once and answered last first: the order of a cluster is its own."""

    def __init__(self) -> None:
        self.is_on = False
        self.results: dict[int, Any] = {}

    def is_initialized(self) -> bool:
        return self.is_on

    def init(self, *, log_to_driver: bool) -> None:
        self.is_on = not log_to_driver

    def shutdown(self) -> None:
        self.is_on = False

    def put(self, value: object) -> object:
        return value

    def remote(self, function: Callable[..., Any]) -> SimpleNamespace:
        def call(*arguments: object) -> int:
            self.results[len(self.results)] = function(*arguments)
            return len(self.results) - 1

        return SimpleNamespace(remote=call)

    def wait(self, waiting: list[int], *, num_returns: int) -> tuple[list[int], list[int]]:
        return waiting[-num_returns:], waiting[:-num_returns]

    def get(self, number: int) -> Any:
        return self.results[number]


def test_answers_of_a_cluster_belong_to_their_runs(plan: Backtest, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)  # type: ignore[arg-type]
    with executor(plan, ray=True) as cluster:
        answered = list(cluster.perform(TASKS))
        assert ray.is_on
    assert not ray.is_on
    assert [task for task, _ in answered] == TASKS[::-1]
    assert dict(answered) == {task: perform(plan, task) for task in TASKS}
