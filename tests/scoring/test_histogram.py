from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import ParameterError
from hindscale.scoring.histogram import BUCKETS, bucket_edges_s, bucket_of, quantile_s
from hindscale.simulation import _kernel


@given(st.integers(0, 1 << 62))
def test_the_kernel_sorts_into_the_same_buckets(latency_ns: int) -> None:
    assert _kernel.bucket_of(latency_ns) == bucket_of(latency_ns)


@given(st.integers(1024, (1 << 46) - 1))
def test_a_latency_lies_between_the_edges_of_its_bucket(latency_ns: int) -> None:
    edges, bucket = bucket_edges_s(), bucket_of(latency_ns)
    assert edges[bucket] * 1e9 <= latency_ns * (1 + 1e-12)
    assert latency_ns < edges[bucket + 1] * 1e9 * (1 + 1e-12)
    assert edges[bucket + 1] / edges[bucket] <= 1 + 1 / 64


@given(
    latencies=st.lists(st.integers(2_000, 10**12), min_size=1, max_size=300),
    share=st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]),
)
def test_quantiles_are_within_a_bucket_of_the_exact_ones(latencies: list[int], share: float) -> None:
    counts = np.bincount([bucket_of(latency) for latency in latencies], minlength=BUCKETS)
    exact = sorted(latencies)[max(int(np.ceil(share * len(latencies))) - 1, 0)] * 1e-9
    assert quantile_s(counts, share) == pytest.approx(exact, rel=1 / 64 + 1e-9)


def test_nothing_counted_has_no_quantile() -> None:
    assert np.isnan(quantile_s(np.zeros(BUCKETS, np.int64), 0.5))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_quantiles_exist_for_shares(share: float) -> None:
    with pytest.raises(ParameterError, match="share"):
        quantile_s(np.ones(BUCKETS, np.int64), share)
