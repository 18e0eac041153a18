from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting.tuning.budget import ErrorBudget
from hindscale.backtesting.tuning.trials import Trial, best_of
from hindscale.core import Slo
from hindscale.scoring import Scores

BUDGET = ErrorBudget(slo=Slo(latency_s=1.0, percentile=0.9), reserve=0.5)
figures = st.tuples(st.floats(1, 100), st.floats(0.5, 1.0), st.booleans())


@given(drawn=st.lists(figures, min_size=1, max_size=12))
def test_the_best_is_whole_and_nothing_whole_beats_it(
    make_scores: Callable[..., Scores], drawn: list[tuple[float, float, bool]]
) -> None:
    trials = [
        Trial(number=number, entry=str(number), scores=(make_scores(cost, attained),), is_pruned=is_pruned)
        for number, (cost, attained, is_pruned) in enumerate(drawn)
    ]
    best = best_of(trials, BUDGET)
    whole = [trial for trial in trials if trial.is_whole]
    assert (best is None) == (not whole)
    for trial in whole:
        assert best is not None
        assert best.is_whole
        spent, least = trial.spent(BUDGET), best.spent(BUDGET)
        if spent <= 0.5:
            assert least <= 0.5
            assert best.mean("cost") <= trial.mean("cost")
        elif spent <= 1:
            assert least <= 1
        elif least > 1:
            assert least <= spent


def test_a_setting_that_a_policy_refuses_is_never_the_best() -> None:
    refused = Trial(number=0, entry="utilization:upper=0.2", scores=(), refused="lower must be <= upper")
    assert best_of([refused], BUDGET) is None
    assert refused.to_dict(BUDGET) == {
        "number": 0, "policy": "utilization:upper=0.2", "refused": "lower must be <= upper"
    }  # fmt: skip
