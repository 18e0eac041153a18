from __future__ import annotations

from typing import Any

import pytest

from hindscale.core import UPPER_BOUND, Decision, ParameterError
from hindscale.policies.normal_model import NormalModel
from hindscale.testing import observation


def after(policy: NormalModel, utilizations: list[float], *, ready: int, **seen: Any) -> Decision:
    state = policy.initial_state()
    for tick, value in enumerate(utilizations, start=1):
        decision, state = policy.decide(observation(15.0 * tick, ready, cpu_utilization=value, **seen), state)
    return decision


def test_the_worked_example_adds_three() -> None:
    # mu = 0.6, sigma = 0.1 from alternating 0.5 and 0.7: N_plus = 2.945.
    decision = after(NormalModel(), [0.5, 0.7] * 5, ready=10)
    assert decision.desired_replicas == 13
    assert decision.reason == "U ~ N(0.600, 0.100²): N+ = 2.95"


def test_where_the_formula_has_no_finite_answer_it_asks_for_all_there_may_be() -> None:
    decision = after(NormalModel(), [0.9, 0.95] * 4, ready=10)
    assert decision.desired_replicas == UPPER_BOUND
    assert "has no finite answer, so the upper bound" in decision.reason


def test_idle_replicas_are_removed_in_whole_numbers() -> None:
    # sigma = 0 and mu < T_L: P = 1, N_minus = N: everything that is not needed, the bounds decide.
    assert after(NormalModel(), [0.1] * 4, ready=10).desired_replicas == 0
    # mu = 0.4, so P(U < 0.4) = 0.5: N_minus = 5.
    assert after(NormalModel(), [0.3, 0.5] * 5, ready=10).desired_replicas == 5


def test_a_change_of_the_fleet_does_not_look_like_a_change_of_load() -> None:
    # Work of 5 replicas: 10 at 50 %. After growing to 20, utilization reads 25 %, the work is the same.
    policy, state = NormalModel(lower=0.2), ()
    for tick in range(1, 11):
        ready, value = (10, 0.5) if tick <= 5 else (20, 0.25)
        decision, state = policy.decide(observation(15.0 * tick, ready, cpu_utilization=value), state)
    assert decision.reason.startswith("U ~ N(0.250, 0.000²)")


def test_starting_replicas_count_as_capacity() -> None:
    busy = after(NormalModel(), [0.9] * 4, ready=10)
    relieved = after(NormalModel(), [0.9] * 4, ready=10, starting_replicas=8)
    assert busy.desired_replicas == UPPER_BOUND
    assert relieved.desired_replicas == 18  # 0.9 * 10 / 18 = 50 %: nothing to do


def test_what_is_older_than_the_window_is_forgotten() -> None:
    policy = NormalModel(window_s=60)
    assert after(policy, [1.0] * 10 + [0.6] * 4, ready=10).reason.startswith("U ~ N(0.600, 0.000²)")


def test_the_first_decision_rests_on_one_measurement() -> None:
    assert after(NormalModel(), [0.6], ready=10).desired_replicas == 10


def test_a_fleet_of_none_wakes_up() -> None:
    policy = NormalModel()
    decision, state = policy.decide(observation(ready=0, queued_requests=2.0), ((1.0, 5.0),))
    assert (decision.desired_replicas, state) == (1, ())


@pytest.mark.parametrize(
    ("given_values", "message"),
    [({"upper": 80}, "did you mean 0.8"), ({"window_s": 0}, "window_s"), ({"resource": "disk"}, "nobody measures")],
)
def test_settings_that_make_no_sense_are_refused(given_values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        NormalModel(**given_values)
