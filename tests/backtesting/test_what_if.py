"""What-if: differences seed by seed, what they are worth, and what is said of them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hindscale.backtesting import Backtest, BacktestResult, policy_entries
from hindscale.backtesting.alternatives import Alternative
from hindscale.backtesting.assumptions import assumed_service
from hindscale.backtesting.report.what_if import what_if_html
from hindscale.backtesting.what_if import WhatIf, WhatIfResult, what_if
from hindscale.core import Constant, Lognormal, ParameterError, ServiceProfile, Slo
from hindscale.core.units import MONTH_S
from hindscale.guardrails.stabilization import Stabilization
from hindscale.simulation import SimulationSettings
from hindscale.traces import RateTrace, read_trace

SERVICE = ServiceProfile(name="toy", slots=1, service_time=Constant(1.0), cold_start=Lognormal(mean_s=30.0, cv=0.3))


def plan(*policies: str, slo: str = "p90<3s", seeds: int = 2, **further: Any) -> Backtest:
    trace = RateTrace(name="rising", window_s=60.0, requests=np.array([60, 90, 150, 240, 300, 300, 240, 120, 60, 30.0]))
    return Backtest(
        traces=(trace,),
        policies=policy_entries(policies),
        service=SERVICE,
        slo=Slo.parse(slo),
        seeds=seeds,
        **{"max_replicas": 40, **further},
    )


def test_hindsight_is_not_the_nearest_policy() -> None:
    (answer,) = what_if(plan("fixed", "target-tracking:target_per_replica=50"), ["traffic=2x"], jobs=1).answers(0)
    assert answer.after.best is None
    assert "; nearest is target-tracking:target_per_replica=50 with" in answer.verdict()
    (alone,) = what_if(plan("fixed"), ["traffic=2x"], jobs=1).answers(0)
    assert alone.verdict() == "traffic=2x: no policy that could be chosen beforehand is among them"


def test_an_alternative_is_the_backtest_that_it_describes() -> None:
    base = plan("target-tracking", "predictive")
    result = what_if(base, ["slots=2,price=3"], jobs=1)
    service = dataclasses.replace(SERVICE, slots=2, price_per_replica_hour=3.0)
    described = dataclasses.replace(base, service=service)
    runs = [described.perform(run) for run in described.runs]
    assert result.results[1].to_dict() == BacktestResult.of(described, runs).to_dict()


@pytest.mark.parametrize("text", ["traffic=1x", "slots=1", "cold_start=30s", "price=+0%"])
def test_what_changes_nothing_is_worth_nothing_to_the_last_digit(text: str) -> None:
    (answer,) = what_if(plan("target-tracking"), [text], jobs=1).answers(0)
    for effect in answer.effects:
        assert (effect.cost.mean, effect.cost.half_width) == (0.0, 0.0)
    assert answer.verdict() == f"{text} changes nothing in the cost, with target-tracking"


@settings(max_examples=10)
@given(factor=st.floats(0.1, 10.0))
def test_a_price_changes_the_cost_in_proportion_and_nothing_else(factor: float) -> None:
    (answer,) = what_if(plan("target-tracking", "predictive"), [f"price={factor!r}x"], jobs=1).answers(0)
    for effect in answer.effects:
        assert effect.share == pytest.approx(factor - 1, abs=1e-9)
        before, after = (
            [dataclasses.replace(scores, cost=0.0) for scores in row.scores] for row in (effect.before, effect.after)
        )
        assert before == after


def test_a_difference_by_hand() -> None:
    # Three replicas for ten minutes are half a replica hour: 0.5 at a price of 1, 1.25 at 2.5. 4320 of these
    # ten minutes make 30 days, so that it costs 0.75 * 4320 = 3240 a month more; chance plays no part.
    three = plan("fixed:replicas=3", slo="p50<90s", settings=SimulationSettings(initial_replicas=3))
    (answer,) = what_if(three, ["price=2.5"], jobs=1).answers(0)
    (effect,) = answer.effects
    assert answer.runs_per_month == pytest.approx(MONTH_S / 600)
    assert (effect.cost.mean, effect.cost.half_width) == (pytest.approx(0.75), 0.0)
    assert effect.monthly_cost.mean == pytest.approx(3240)
    assert answer.verdict() == "price=2.5 costs 3,240 ±0 a month (+150.0%), with fixed:replicas=3"


def test_differences_are_surer_than_the_costs_that_they_are_differences_of() -> None:
    """Each seed has its own arrivals; what they add to both costs falls out."""
    (answer,) = what_if(plan("target-tracking", seeds=5), ["price=+10%"], jobs=1).answers(0)
    (effect,) = answer.effects
    assert 0 < effect.cost.half_width < 0.2 * effect.before.over_seeds("cost").half_width


def test_more_traffic_changes_the_choice() -> None:
    """Six replicas keep up with the traffic as it is, at less than twelve cost; with twice as much they do not."""
    result = what_if(plan("fixed:replicas=6", "fixed:replicas=12"), ["traffic=2x", "price=2x"], jobs=1)
    more, dearer = result.answers(0)
    assert more.changes_the_choice
    assert re.fullmatch(
        r"traffic=2x costs 4,\d+ ±0 a month \(\+9\d.\d%\); choose fixed:replicas=12 then, not fixed:replicas=6",
        more.verdict(),
    )
    assert not dearer.changes_the_choice


def test_an_slo_that_is_kept_or_missed_only_then_is_said() -> None:
    (lost,) = what_if(plan("fixed:replicas=6"), ["traffic=3x"], jobs=1).answers(0)
    assert re.fullmatch(
        r"traffic=3x: no policy meets the SLO any more; nearest is fixed:replicas=6 with [\d.]+%", lost.verdict()
    )
    assert lost.worth is None
    still, found = what_if(plan("fixed:replicas=2"), ["price=2x", "traffic=0.2x"], jobs=1).answers(0)
    assert "no policy meets the SLO either" in still.verdict()
    assert re.fullmatch(
        r"traffic=0.2x: fixed:replicas=2 then meets the SLO, which no policy did, for 1,4\d\d a month", found.verdict()
    )


def test_a_difference_that_may_be_chance_is_called_so() -> None:
    (answer,) = what_if(plan("target-tracking", seeds=3), ["burstiness=0.3"], jobs=1).answers(0)
    (effect,) = answer.effects
    assert effect.may_be_chance == (abs(effect.cost.mean) <= effect.cost.half_width)
    assert ("which may be chance" in answer.verdict()) == effect.may_be_chance


def test_one_seed_has_a_difference_without_an_interval() -> None:
    three = plan("fixed:replicas=3", slo="p50<90s", seeds=1, settings=SimulationSettings(initial_replicas=3))
    (answer,) = what_if(three, ["price=2"], jobs=1).answers(0)
    assert answer.verdict() == "price=2 costs 2,160 a month (+100.0%), with fixed:replicas=3"


def test_hindsight_is_set_beside_and_never_chosen() -> None:
    (answer,) = what_if(plan("optimum", "target-tracking"), ["cold_start=10s"], jobs=1).answers(0)
    assert {effect.after.policy for effect in answer.effects} == {"optimum", "target-tracking"}
    assert answer.worth is not None
    assert answer.worth.after.policy == "target-tracking"


def test_what_was_not_finished_is_left_out() -> None:
    question = WhatIf(base=plan("fixed:replicas=9", "target-tracking"), alternatives=(Alternative.parse("price=2"),))
    performed = list(question.perform(jobs=1))
    some = WhatIfResult.of(question, performed[:5])  # the base, and one run of the alternative
    assert (some.finished_runs, question.asked_runs) == (5, 8)
    assert [effect.after.policy for effect in some.answers(0)[0].effects] == ["fixed:replicas=9"]
    assert "! 5 of 8 runs were finished" in some.table()
    none = WhatIfResult.of(question, performed[:1])
    assert none.answers(0)[0].verdict() == "price=2: no run was finished"
    assert "1 of 8 runs" in what_if_html(none)


@pytest.mark.parametrize(
    ("alternatives", "message"),
    [
        ([], "what-if needs at least one alternative, was given none"),
        (["price=2", "price=2"], "'price=2' appears twice"),
        (["base:price=2"], "'base' appears twice"),
    ],
)
def test_a_wrong_question_is_one_line(alternatives: list[str], message: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(message)):
        what_if(plan("fixed:replicas=3"), alternatives)


def test_a_shorter_cold_start_is_worth_money_on_a_real_recording(real_traces: Path) -> None:
    """With 30 s in place of 90 s fewer requests wait for replicas that start, and the HPA orders fewer of them."""
    trace = read_trace(real_traces / "azure_llm_2023_conv.parquet")
    service, slo = assumed_service([trace])
    base = Backtest(
        traces=(trace,), policies=policy_entries(("hpa",)), service=service, slo=slo, guardrails=(Stabilization(),)
    )
    (answer,) = what_if(base, ["cold_start=30s"], jobs=1).answers(0)
    (effect,) = answer.effects
    assert effect.cost.mean + effect.cost.half_width < 0
    assert effect.after.mean("slo_attainment") > effect.before.mean("slo_attainment")
    assert answer.verdict().startswith("cold_start=30s saves ")


# -- the table and the page ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked() -> WhatIfResult:
    return what_if(
        plan("target-tracking", "fixed:replicas=2"),
        ["traffic=2x", "large:slots=4,service_time=+20%,price=3", "<b>:price=0.5x"],
        jobs=1,
    )


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_shows_every_policy_under_every_alternative(asked: WhatIfResult, width: int) -> None:
    lines = asked.table(width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum("target-tracking" in line and "%" in line and "±" in line for line in lines if "→" not in line) == 4
    assert ("p99  " in asked.table(width=width)) == (width == 120)


def test_the_page_says_all_and_needs_nothing_from_elsewhere(asked: WhatIfResult) -> None:
    page = what_if_html(asked)
    assert page == what_if_html(asked)
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["']""", page)
    assert "url(" not in page
    assert "<b>:" not in page
    assert page.count('class="bar"') == 6
    for answer in asked.answers(0):
        for effect in answer.effects:
            assert effect.after.label in page


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_the_page_fits_the_screen_and_its_bars_are_seen(
    asked: WhatIfResult, tmp_path: Path, chromium: Any, width: int, scheme: str
) -> None:
    asked.write_report(tmp_path / "report.html")
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_selector(f"html[data-ready][data-theme={scheme}]")
    page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [bar.bounding_box() for bar in page.locator(".bar i").all()]
    assert max(box["width"] for box in boxes) > width / 8
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") != scheme
    assert troubles == []
    page.close()
