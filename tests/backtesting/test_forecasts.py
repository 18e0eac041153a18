from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from statistics import geometric_mean

import numpy as np
import pytest

from hindscale.backtesting.forecasts import ForecastComparison, compare_forecasters, forecast_html
from hindscale.core import ParameterError
from hindscale.traces import RateTrace, UtilizationTrace, read_trace


@pytest.fixture(scope="module")
def compared() -> ForecastComparison:
    """Three days of a wave in windows of ten minutes, with some noise."""
    rng, slots = np.random.default_rng(5), np.arange(3 * 144)
    requests = rng.poisson(6000 + 4000 * np.sin(2 * np.pi * slots / 144)).astype(float)
    trace = RateTrace(name="wave <1>", window_s=600.0, requests=requests)
    return compare_forecasters(trace, ("last-value", "profile"), window_s=600.0, horizon_windows=6)


def test_on_a_wave_the_shape_of_the_day_beats_the_last_value(compared: ForecastComparison) -> None:
    last_value, profile = compared.judged
    assert compared.best is profile
    assert compared.relative_loss(profile) < compared.relative_loss(last_value)


def test_the_table_has_a_row_each(compared: ForecastComparison) -> None:
    table = compared.table()
    assert table.startswith("wave <1>: 432 windows of 10min, 1h ahead")
    assert re.search(r"^ ?profile +\d+\.\d{3} +\d+\.\d{3} +[\d.]+% ", table, re.MULTILINE)


def test_as_plain_values_it_is_json(compared: ForecastComparison) -> None:
    values = json.loads(json.dumps(compared.to_dict(), allow_nan=False))
    assert [each["forecaster"] for each in values["forecasters"]] == ["last-value", "profile"]
    assert set(values["forecasters"][0]["coverage"]) == {"0.9", "0.95", "0.99"}


def test_the_page_draws_what_was_said_where_it_came_true(compared: ForecastComparison) -> None:
    page = forecast_html(compared)
    assert "wave &lt;1&gt;" in page
    assert "default-src 'none'" in page
    match = re.search(r'id="data">([^<]+)<', page)
    assert match is not None
    near, far = json.loads(gzip.decompress(base64.b64decode(match[1])))["charts"]
    assert near["title"] == "profile, said 10min before"
    assert far["title"] == "profile, said 1h before"
    # The same window holds the same rate, whenever it was forecast.
    came = dict(zip(near["time"], near["actual"], strict=True))
    assert all(came[time] == rate for time, rate in zip(far["time"], far["actual"], strict=True) if time in came)
    assert all(low <= high for low, high in zip(far["low"], far["high"], strict=True))


def test_utilization_is_no_traffic() -> None:
    trace = UtilizationTrace(name="cpu", window_s=60.0, utilization=np.full(100, 0.5))
    with pytest.raises(ParameterError, match="holds utilization, not requests"):
        compare_forecasters(trace, window_s=60.0, horizon_windows=3)


def test_on_recorded_minutes_the_mixture_is_calibrated_and_ahead_of_the_season(real_traces: Path) -> None:
    """A week of three recordings; the documentation shows more of them."""
    losses = []
    for file, first_day in (
        ("azure_functions_2019_bd33ce4b.parquet", 0),
        ("worldcup98_may01_jun14.parquet", 31),
        ("nasa_http_jul95.parquet", 0),
    ):
        trace = read_trace(real_traces / file).between(first_day * 86400.0, (first_day + 7) * 86400.0)
        found = compare_forecasters(trace, ("mixture",), window_s=60.0, horizon_windows=15)
        losses.append(found.relative_loss(found.best))
        for level, share in found.best.score.coverage.items():
            assert abs(share - level) <= 0.015, (file, level)
    assert geometric_mean(losses) < 0.65
