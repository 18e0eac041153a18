from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hindscale.live.local.backoff import Backoff, pause_s


@given(st.integers(0, 5000), st.floats(0, 1e4))
def test_pauses_never_shrink_and_stay_bounded(failures: int, longest_s: float) -> None:
    assert 0 <= pause_s(failures, longest_s) <= pause_s(failures + 1, longest_s) <= max(longest_s, 0)


def test_a_row_of_failures_waits_longer_and_longer() -> None:
    backoff = Backoff(longest_s=60.0)
    pauses = []
    now_s = 0.0
    for _ in range(9):
        backoff = backoff.after_failure(now_s, began_s=now_s)
        pauses.append(backoff.until_s - now_s)
        now_s = backoff.until_s + 0.5
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_what_fails_together_fails_once() -> None:
    once = Backoff(longest_s=60.0).after_failure(10.0, began_s=1.0)
    assert once.after_failure(10.1, began_s=2.0) == once


def test_what_went_well_for_long_ends_the_row() -> None:
    backoff = Backoff(longest_s=60.0, failures=5, failed_at_s=100.0, until_s=108.0)
    assert backoff.after_failure(300.0, began_s=110.0, well_s=180.0).failures == 1
    assert backoff.after_failure(300.0, began_s=110.0, well_s=59.0).failures == 6
