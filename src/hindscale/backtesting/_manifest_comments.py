"""What is said of a manifest above it: what it is predicted to come to, and how it is read back."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable

from hindscale.autoscalers.writing import Manifest, plain_number
from hindscale.backtesting.folder import fingerprint
from hindscale.backtesting.result import BacktestResult, Row, describe_scale
from hindscale.core.service import ServiceProfile
from hindscale.core.units import MONTH_S, format_amount, format_duration, percent

__all__ = ["prediction_lines", "reading_lines"]


def prediction_lines(result: BacktestResult | None) -> list[str]:
    """What one policy came to on each trace, and which traffic that was."""
    if result is None:
        return ["Nothing is predicted: it was not run on any traffic."]
    lines = []
    for trace, found in zip(result.backtest.traces, result.traces, strict=True):
        scored_h = (trace.duration_s - result.backtest.settings.warm_up_s) / 3600
        lines += [f"Predicted on {describe_scale(result, trace.name)}", f"  sha256 {fingerprint(trace)}"]
        lines += _figures(found.rows[0], result, scored_h)
    return lines


def reading_lines(manifest: Manifest, service: ServiceProfile, file: str) -> list[str]:
    """Which replica it is for, how it is read back, and what is not in it."""
    given = ",".join(f"{name}={_plain(value)}" for name, value in manifest.parameters(file).items())
    read_back = shlex.join(["hindscale", "backtest", "TRACE", "--policy", f"{manifest.reader}:{given}"])
    lines = [
        f"For {service.name}: {service.slots} slots, service time {service.service_time},",
        f"  cold start {service.cold_start}, {service.price_per_replica_hour:g} a replica hour{_patience(service)}",
        f"Read back by: {read_back}",
    ]
    if manifest.outside:
        lines.append("Not in this file, but part of the policy:")
        lines += [f"  {each.parameter}={_plain(each.value)}: {each.place}" for each in manifest.outside]
    return [*lines, *manifest.notes]


def _figures(row: Row, result: BacktestResult, scored_h: float) -> list[str]:
    """Cost and attainment in words, with what they are sure of."""
    cost, slo = row.over_seeds("cost"), result.backtest.slo
    hourly = cost.mean / scored_h
    monthly = format_amount(MONTH_S / 3600 * hourly)
    seeds = f"{len(row.seeds)} seeds from {row.seeds[0]}" if len(row.seeds) > 1 else f"one seed, {row.seeds[0]}"
    attained = row.over_seeds("slo_attainment")
    money = f"{format_amount(cost.mean)}{_sure(cost.half_width, lambda half: format_amount(half, scale=cost.mean))}"
    share = f"{percent(attained.mean)}{_sure(attained.half_width, lambda half: f'{100 * half:.2f}%')}"
    lines = [
        f"  cost {money}, {format_amount(hourly)} an hour, {monthly} a month of 30 days",
        f"  attainment {share} of requests, {'meets' if row.meets_slo else 'MISSES'} {slo}",
    ]
    if slo.minutes_share is not None:
        lines.append(f"  attainment {percent(row.mean('minutes_attainment'))} of minutes")
    most = max(each.most_replicas for each in row.scores)
    lines.append(f"  replicas {row.mean('mean_replicas'):.1f} on average, {most} at most")
    return [*lines, f"  mean of {seeds}{', ± 95% interval' if len(row.seeds) > 1 else ', so no interval'}"]


def _patience(service: ServiceProfile) -> str:
    wait_s = service.queue_timeout_s
    return "" if wait_s is None else f", requests give up after {format_duration(wait_s)}"


def _sure(half_width: float, written: Callable[[float], str]) -> str:
    return "" if math.isnan(half_width) else f" ±{written(half_width)}"


def _plain(value: object) -> str:
    """A value as it is given on the command line."""
    if isinstance(value, tuple):
        return ";".join(str(each) for each in value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return str(plain_number(value) if isinstance(value, float) else value)
