from __future__ import annotations

import pytest
from hypothesis import given

from hindscale.core import ParameterError, Slo
from strategies import slos


@pytest.mark.parametrize(
    ("text", "slo"),
    [
        ("p99<2s", Slo(latency_s=2, percentile=0.99)),
        ("p95 < 500ms", Slo(latency_s=0.5, percentile=0.95)),
        ("p99.9<=1.5min", Slo(latency_s=90, percentile=0.999)),
        ("p99 < 2s @ 95%", Slo(latency_s=2, percentile=0.99, minutes_share=0.95)),
    ],
)
def test_objectives_are_read_as_written(text: str, slo: Slo) -> None:
    assert Slo.parse(text) == slo


@given(slo=slos)
def test_printed_objectives_read_back_within_the_digits_shown(slo: Slo) -> None:
    again = Slo.parse(str(slo))
    assert again.percentile == slo.percentile
    assert again.latency_s == pytest.approx(slo.latency_s, rel=6e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("99%<2s", "must look like 'p99 < 2s'"),
        ("p100<2s", "between p0 and p100"),
        ("p0<2s", "between p0 and p100"),
        ("p99<soon", "slo bound must be a number with a unit"),
        ("p99<0s", "latency_s must be a number > 0"),
        ("p99<2s@0%", r"minutes_share must be in \(0, 1\]"),
    ],
)
def test_other_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Slo.parse(text)
