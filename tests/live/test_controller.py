"""The controller: what is decided is written down, then done; and what goes wrong leaves the fleet as it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import Observation, ParameterError
from hindscale.live.clock import WallClock
from hindscale.live.command import Command
from hindscale.live.controller import Controller
from hindscale.live.metrics import LiveMetrics, ReplicasFromMetrics
from hindscale.live.plan import Watch
from hindscale.live.records import Score
from hindscale.live.replay import replay, resume
from hindscale.live.store import MEASURED, Store, StoreReader
from live.doubles import FakeSource, ObedientFleet, a_plan, steady
from live.rig import Rig

TARGET_OF_4 = "target-tracking:target_per_replica=4"


def test_shadow_is_the_default_and_changes_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(), steady(80.0), ticks=5).run()
    assert rig.fleet.asked == [1]
    rows = rig.rows()
    assert [row["target"] for row in rows] == [10] * 5
    assert not any(row["acted"] for row in rows)


def test_act_scales_the_fleet(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True), steady(80.0), ticks=3).run()
    assert rig.fleet.ready == 10
    assert rig.rows()[0]["reason"] == "40 requests / 4 per replica"


def test_a_decision_is_written_down_before_it_is_done(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True), steady(80.0), ticks=3)
    seen: list[int] = []
    obey = rig.fleet.scale_to

    def scale_to(replicas: int) -> None:
        seen.append(len([row for row in rig.rows() if row["target"] == replicas and row["acted"]]))
        obey(replicas)

    rig.fleet.scale_to = scale_to  # type: ignore[method-assign]
    rig.run()
    assert seen == [0, 1, 2, 3]  # the fleet's beginning is no decision


@pytest.mark.parametrize("outage", [None, {"ongoing_requests": math.nan, "arrival_rate_rps": 80.0}])
def test_the_fleet_never_shrinks_because_of_missing_data(tmp_path: Path, outage: dict[str, float] | None) -> None:
    """keda#965, llm-d-autoscaling#1376: a source that is gone looks like idleness to those that count it as zero."""
    rig = Rig(tmp_path, a_plan(act=True), lambda now_s: steady(80.0)(now_s) if now_s < 5 else outage, ticks=60).run()
    assert rig.fleet.ready == 10
    last = rig.rows()[-1]
    assert last["held"]
    assert "hold: ongoing_requests is" in last["reason"]


def test_a_fleet_that_lost_all_its_replicas_is_still_wanted(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True), lambda now_s: steady(80.0)(now_s) if now_s < 5 else None, ticks=20)
    rig.after(8, lambda _: setattr(rig.fleet, "ready", 0)).run()
    assert set(rig.fleet.asked[1:]) == {10}


@given(
    ready=st.integers(0, 20), starting=st.integers(0, 5), wanted=st.none() | st.integers(0, 20), arrives=st.booleans()
)
def test_what_was_asked_for_stays_asked_for(ready: int, starting: int, wanted: int | None, arrives: bool) -> None:
    class Replicas(ObedientFleet):
        def counts(self) -> Any:
            return replace(super().counts(), starting=starting)

    metrics = LiveMetrics(FakeSource(steady(5.0) if arrives else lambda _: None), Replicas(ready=ready), slots=4)
    metrics.wanted = wanted
    seen = metrics.observe(1.0)
    assert seen.requested_replicas >= max(wanted or 0, ready + starting)


def test_a_policy_that_breaks_holds_the_fleet_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hindscale.policies.target_tracking import TargetTracking

    decide = TargetTracking.decide

    def fails(self: TargetTracking, observation: Observation, state: None) -> Any:
        if 4 <= observation.time_s < 8 and observation.ongoing_requests:
            raise ZeroDivisionError("by nothing")
        return decide(self, observation, state)

    rig = Rig(tmp_path, a_plan(act=True, shadows=()), steady(80.0), ticks=12)
    monkeypatch.setattr(TargetTracking, "decide", fails)
    rig.run()
    assert rig.fleet.ready == 10
    assert "the fleet is held: ZeroDivisionError by nothing" in rig.said
    assert f"{TARGET_OF_4} breaks and cannot be scored: ZeroDivisionError by nothing" in rig.said
    assert rig.controller.board.state.record.tick.time_s == 12  # type: ignore[union-attr]


def test_acting_needs_a_fleet_that_can_be_scaled(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="--act needs a fleet that can be scaled"):
        Controller(
            a_plan(act=True),
            source=FakeSource(steady(1.0)),
            fleet=ReplicasFromMetrics(object()),
            store=Store(tmp_path),
            clock=WallClock(),
        )


# -- commands ---------------------------------------------------------------------------------------


def test_a_pause_leaves_the_fleet_and_goes_on_deciding(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True), lambda now_s: steady(80.0 if now_s < 6 else 8.0)(now_s), ticks=12)
    rig.after(4, lambda controller: controller.submit(Command(kind="pause"))).run()
    assert rig.fleet.ready == 10
    assert rig.rows()[-1]["target"] == 1
    assert not rig.rows()[-1]["acted"]


def test_bounds_hold_from_the_next_tick(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True), steady(80.0), ticks=8)
    rig.after(4, lambda controller: controller.submit(Command(kind="bounds", min_replicas=2, max_replicas=6))).run()
    assert rig.fleet.ready == 6
    assert rig.rows()[-1]["limited_by"] == "bounds"


def test_promotion_and_roll_back_by_command(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True), steady(80.0), ticks=12)
    rig.after(4, lambda controller: controller.submit(Command(kind="promote", policy="fixed:replicas=3")))
    rig.after(8, lambda controller: controller.submit(Command(kind="rollback"))).run()
    targets = [row["target"] for row in rig.rows()]
    assert targets[:4] == [10] * 4
    assert targets[5:8] == [3] * 3
    assert targets[9:] == [10] * 3
    assert rig.said == ["promote fixed:replicas=3", "rollback"]


def test_what_does_not_fit_is_refused_at_once(tmp_path: Path) -> None:
    controller = Rig(tmp_path, a_plan(), steady(80.0), ticks=0).controller
    with pytest.raises(ParameterError, match="is not a shadow policy"):
        controller.submit(Command(kind="promote", policy="fixed:replicas=4"))
    with pytest.raises(ParameterError, match="no policy was promoted"):
        controller.submit(Command(kind="rollback"))
    with pytest.raises(ParameterError, match="min_replicas must be <= max_replicas"):
        controller.submit(Command(kind="bounds", min_replicas=5, max_replicas=2))


def test_a_policy_that_reads_what_nobody_measures_is_not_promoted(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True, shadows=("utilization",)), steady(80.0), ticks=8)
    measure = rig.source.measure
    rig.source.measure = lambda now_s: replace(  # type: ignore[method-assign]
        measure(now_s), missing=frozenset({"cpu_utilization"})
    )
    refused: list[str] = []

    def promote(controller: Controller) -> None:
        with pytest.raises(ParameterError) as raised:
            controller.submit(Command(kind="promote", policy="utilization"))
        refused.append(str(raised.value))

    rig.after(4, promote).run()
    assert refused == ["utilization reads cpu_utilization, which nobody measures here now"]


def test_a_broken_slo_takes_a_promotion_back(tmp_path: Path) -> None:
    plan = a_plan(act=True, watch=Watch(for_s=60.0, requests=100))
    rig = Rig(tmp_path, plan, steady(80.0), ticks=20)

    def promote(controller: Controller) -> None:
        controller.submit(Command(kind="promote", policy="fixed:replicas=3"))
        rig.source.met_share = 0.5

    rig.after(6, promote).run()
    assert rig.rows()[-1]["target"] == 10
    assert "rollback: SLO p99 < 2s broken: 50.00% of 160 requests" in rig.said[-1]


def test_a_policy_that_keeps_the_slo_stays(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True, watch=Watch(for_s=5.0, requests=100)), steady(80.0), ticks=30)
    rig.after(4, lambda controller: controller.submit(Command(kind="promote", policy="fixed:replicas=3")))

    def break_slo(_: Controller) -> None:
        rig.source.met_share = 0.0  # long after the probation

    rig.after(15, break_slo).run()
    assert rig.rows()[-1]["target"] == 3


# -- what is written down ---------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["predictive:window_s=2", "knative", "ray-serve", TARGET_OF_4])
def test_every_decision_can_be_made_again(tmp_path: Path, policy: str) -> None:
    plan = a_plan(act=True, policy=policy, guardrails=("stabilization:down_window_s=20",))

    def load(now_s: float) -> dict[str, float] | None:
        return None if 30 < now_s < 40 else steady(40.0 + 35 * math.sin(now_s / 9))(now_s)

    rig = Rig(tmp_path, plan, load, ticks=150)
    rig.after(70, lambda controller: controller.submit(Command(kind="promote", policy="fixed:replicas=3")))
    rig.after(100, lambda controller: controller.submit(Command(kind="rollback"))).run()
    reader = StoreReader(tmp_path)
    for tick in range(1, 151):
        found = replay(reader, tick)
        assert found.agrees, dict(found.row)
        assert found.steps <= 60
    reader.close()


def test_a_restart_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    plan = a_plan(act=True, policy="predictive:window_s=2", guardrails=("stabilization:down_window_s=20",))

    def load(now_s: float) -> dict[str, float]:
        return steady(40.0 + 35 * math.sin(now_s / 9))(now_s)

    whole = Rig(tmp_path / "whole", plan, load, ticks=90).run()
    for ticks in (17, 50, 23):
        parts = Rig(tmp_path / "parts", plan, load, ticks=ticks)
        parts.fleet.ready = parts.controller._metrics.wanted or 0
        parts.run()
    picked = [[row[name] for name in ("time_s", "desired", "target", "reason")] for row in whole.rows()]
    assert [[row[name] for name in ("time_s", "desired", "target", "reason")] for row in parts.rows()] == picked


def test_a_promotion_survives_a_restart_until_the_service_file_changes(tmp_path: Path) -> None:
    plan = a_plan(act=True)
    first = Rig(tmp_path, plan, steady(80.0), ticks=8)
    first.after(4, lambda controller: controller.submit(Command(kind="promote", policy="fixed:replicas=3"))).run()
    reader = StoreReader(tmp_path)
    resumed = resume(reader)
    reader.close()
    assert resumed is not None
    assert resumed.configured == plan
    assert resumed.plan == plan.promoted("fixed:replicas=3")
    assert (resumed.previous, resumed.target) == (TARGET_OF_4, 3)


def test_scores_of_the_measured_fleet_and_of_every_policy_are_kept(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True), steady(80.0), ticks=120).run()
    reader = StoreReader(tmp_path)
    scores: dict[str, Score] = reader.scores_since(0.0)
    reader.close()
    assert set(scores) == {MEASURED, TARGET_OF_4, "fixed:replicas=3"}
    assert scores[MEASURED].arrived == pytest.approx(80 * 120)
    assert scores[TARGET_OF_4].arrived == pytest.approx(80 * 120, rel=0.02)
    # Three replicas of 8/s cannot carry 80/s; ten can.
    assert scores["fixed:replicas=3"].attainment < 0.5
    assert scores[TARGET_OF_4].attainment > 0.9
    assert scores["fixed:replicas=3"].replica_s < scores[TARGET_OF_4].replica_s
    assert rig.controller.board.state.totals.arrived == pytest.approx(80 * 120)


def test_a_full_disk_does_not_stop_control(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(act=True), steady(80.0), ticks=60)
    database = rig.store._database

    def pages(limit: int) -> Callable[[Controller], None]:
        return lambda _: database.execute(f"PRAGMA max_page_count = {limit}").fetchall()

    used = database.execute("PRAGMA page_count").fetchone()[0]
    rig.after(10, pages(used + 1)).after(40, pages(100_000))
    failing: list[str] = []
    rig.after(35, lambda controller: failing.append(controller.board.state.store_failure))
    rig.run()
    assert rig.fleet.ready == 10
    assert "database or disk is full" in failing[0]
    assert any("but the fleet is still controlled" in line for line in rig.said)
    assert rig.said[-1] == "decisions are written down again"
    # What had waited in memory is there now, in order, and can be made again.
    assert [row["id"] for row in rig.rows()] == list(range(1, 61))
    reader = StoreReader(tmp_path)
    assert replay(reader, 60).agrees
    reader.close()


def test_ticks_that_had_to_be_given_up_are_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hindscale.live.store.MOST_UNWRITTEN", 5)
    rig = Rig(tmp_path, a_plan(act=True, policy="predictive:window_s=2"), steady(80.0), ticks=50)
    database = rig.store._database
    used = database.execute("PRAGMA page_count").fetchone()[0]
    rig.after(10, lambda _: database.execute(f"PRAGMA max_page_count = {used}").fetchall())
    rig.after(40, lambda _: database.execute("PRAGMA max_page_count = 100000").fetchall())
    rig.run()
    assert rig.store.lost > 0
    reader = StoreReader(tmp_path)
    assert replay(reader, 50).agrees
    assert resume(reader) is not None
    reader.close()


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    rig = Rig(tmp_path, a_plan(), steady(80.0), ticks=200)
    rig.store._keep_s = 60.0
    rig.run()
    kept = [row["id"] for row in rig.rows()]
    assert kept[0] > 100
    assert kept[-1] == 200
    reader = StoreReader(tmp_path)
    assert replay(reader, 200).agrees
    reader.close()
