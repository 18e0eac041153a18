"""When does forecasting pay? Cold start x burstiness x policy, as the excess over what nobody can go below.

Every recording is treated alike: its last days, scaled to a mean of 100 requests a second, so that a fleet has some
ten replicas. The HPA is tuned with hindsight, on the very stretch that it is judged on: the cheapest target and window
of a grid that keep the SLO. Nothing else is tuned. A cell that was measured is kept, and not measured again.

Usage: python benchmarks/forecasting_pays.py RECORDING... [--days 3] [--cold-starts 30 120 300] [--keep FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median

from hindscale.backtesting.assumptions import MODEL_SERVER
from hindscale.backtesting.backtest import Backtest, Run, policy_entries
from hindscale.backtesting.optimum import Requests, fluid_problem
from hindscale.core import Lognormal, Slo
from hindscale.simulation.optimum import solve
from hindscale.simulation.run import initial_replicas
from hindscale.traces import describe, read_trace

SLO = Slo(latency_s=2.0, percentile=0.99)
MEAN_RPS = 100.0
DAY_S = 86400.0
TARGETS = (15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 88, 91, 94, 97)
OURS, BLIND, HPA = "error-budget", "without forecast", "hpa, tuned"
SAID = {OURS: "error-budget", BLIND: "error-budget:forecaster=last-value", "predictive": "predictive"}
"""By the column's name; `without forecast` is the same policy, whose forecaster only knows the last minute."""
POLICIES = (*SAID, HPA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A policy on a recording with a cold start."""

    recording: str
    peak_to_mean: float
    cold_start_s: float
    policy: str
    said: str
    attainment: float
    cost: float
    least_cost: float

    @property
    def regret(self) -> float:
        """Cost above what nobody can go below, as a share of that."""
        return self.cost / self.least_cost - 1


def plan_for(path: Path, days: float, cold_start_s: float, policies: Sequence[str]) -> Backtest:
    """The comparison on the last days of a recording, scaled."""
    trace = read_trace(path)
    trace = trace.between(max(trace.duration_s - days * DAY_S, 0.0), None)
    service = replace(MODEL_SERVER, cold_start=Lognormal(mean_s=cold_start_s, cv=0.25))
    scaled = trace.scaled(MEAN_RPS * trace.duration_s / trace.total_requests)
    return Backtest(
        traces=(scaled,), policies=policy_entries(tuple(policies)), service=service, slo=SLO, seeds=1, guardrails=()
    )


def least_cost(plan: Backtest) -> float:
    """What nobody can go below."""
    trace, spec = plan.prepared[plan.traces[0].name]
    requests = Requests.of(plan, trace, spec, 0)
    problem = fluid_problem(requests, spec, ready_at_start=initial_replicas(trace, spec, plan.settings))
    return solve(problem).replica_s / 3600 * spec.profile.price_per_replica_hour


def measure(path: Path, days: float, cold_start_s: float, known: Sequence[Cell]) -> Iterator[Cell]:
    """All policies on one recording with one cold start, but those that are known."""
    plan = plan_for(path, days, cold_start_s, ["fixed"])
    least = known[0].least_cost if known else least_cost(plan)
    peak_to_mean = describe(plan.traces[0]).peak_to_mean
    missing = [policy for policy in POLICIES if policy not in {each.policy for each in known}]

    def cell(policy: str, said: str) -> Cell:
        scores = plan_for(path, days, cold_start_s, [said]).perform(Run(trace=0, entry=0, seed=0)).scores
        return Cell(
            recording=path.stem, peak_to_mean=peak_to_mean, cold_start_s=cold_start_s, policy=policy, said=said,
            attainment=scores.slo_attainment, cost=scores.cost, least_cost=least,
        )  # fmt: skip

    yield from (tuned(cell) if policy == HPA else cell(policy, SAID[policy]) for policy in missing)


def tuned(cell: Callable[[str, str], Cell]) -> Cell:
    """The cheapest HPA of the grid that keeps the SLO; where none does, the one that comes closest.

    A higher target is cheaper and keeps less, so the highest that keeps the SLO is found by bisection; a shorter
    window of scaling down is tried there and one step below.
    """
    tried: list[Cell] = []
    low, high = 0, len(TARGETS) - 1
    while low <= high:
        middle = (low + high) // 2
        tried.append(cell(HPA, f"hpa:metric=cpu,target={TARGETS[middle]}"))
        is_kept = tried[-1].attainment >= SLO.percentile
        low, high = (middle + 1, high) if is_kept else (low, middle - 1)
    quicker = (TARGETS[place] for place in sorted({max(high - 1, 0), max(high, 0)}))
    tried += [cell(HPA, f"hpa:metric=cpu,target={target},downscale_stabilization_s=60") for target in quicker]
    kept = [each for each in tried if each.attainment >= SLO.percentile]
    return min(kept, key=lambda each: each.cost) if kept else max(tried, key=lambda each: each.attainment)


def table(cells: Sequence[Cell]) -> str:
    """A row a recording and cold start, as Markdown: attainment and cost above the bound of each policy."""
    rows = []
    for recording, cold_start_s in sorted({(each.recording, each.cold_start_s) for each in cells}):
        here = {each.policy: each for each in of_place(cells, recording, cold_start_s)}
        if set(here) >= set(POLICIES):
            shown = " | ".join(f"{here[name].attainment:.2%} · {here[name].regret:+.0%}" for name in POLICIES)
            peak, ratio = here[HPA].peak_to_mean, here[OURS].regret / here[HPA].regret
            rows.append(f"| {recording} | {peak:.1f} | {cold_start_s:.0f} s | {shown} | {ratio:.2f} |")
    head = ["recording", "peak / mean", "cold start", *POLICIES, "regret of the HPA's"]
    return "\n".join(["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1), *rows])


def of_place(cells: Sequence[Cell], recording: str, cold_start_s: float) -> list[Cell]:
    """The cells of one recording and cold start."""
    return [each for each in cells if (each.recording, each.cold_start_s) == (recording, cold_start_s)]


def summary(cells: Sequence[Cell]) -> str:
    """The share of the tuned HPA's regret that is left, and how far attainment is from what was asked."""
    of_hpa = {(each.recording, each.cold_start_s): each.regret for each in cells if each.policy == HPA}
    ours = [each for each in cells if each.policy == OURS and (each.recording, each.cold_start_s) in of_hpa]
    shares = [each.regret / of_hpa[each.recording, each.cold_start_s] for each in ours]
    off = [each.attainment - SLO.percentile for each in ours]
    within = sum(abs(each) <= 0.003 for each in off)
    return (
        f"error-budget leaves {median(shares):.2f} of the tuned HPA's regret on the median, {min(shares):.2f} to"
        f" {max(shares):.2f}; attainment {min(off) * 100:+.2f} to {max(off) * 100:+.2f} points off, {within} of"
        f" {len(off)} within 0.3"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+", type=Path, metavar="RECORDING")
    parser.add_argument("--days", type=float, default=3.0)
    parser.add_argument("--cold-starts", nargs="+", type=float, default=[30.0, 120.0, 300.0], metavar="SECONDS")
    parser.add_argument("--keep", type=Path, help="a JSON file of the cells that were measured before, added to")
    given = parser.parse_args()
    cells = [Cell(**each) for each in json.loads(given.keep.read_text())] if given.keep and given.keep.exists() else []
    for cold_start_s, path in product(given.cold_starts, given.recordings):
        for cell in measure(path, given.days, cold_start_s, of_place(cells, path.stem, cold_start_s)):
            said = f"{cell.recording} {cold_start_s:g} s {cell.said}: {cell.attainment:.3%} {cell.regret:+.1%}"
            print(said, file=sys.stderr)
            cells.append(cell)
            if given.keep:
                given.keep.write_text(json.dumps([asdict(each) for each in cells], indent=1))
    print(f"{table(cells)}\n\n{summary(cells)}")


if __name__ == "__main__":
    main()
