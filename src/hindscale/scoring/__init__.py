"""What a run cost and what it was worth: attainment, cost, churn, latency."""

from hindscale.scoring.histogram import BUCKETS, bucket_edges_s, quantile_s
from hindscale.scoring.record import RunRecord, TickLog
from hindscale.scoring.scores import Scores, minutes_within, score

__all__ = [
    "BUCKETS",
    "RunRecord",
    "Scores",
    "TickLog",
    "bucket_edges_s",
    "minutes_within",
    "quantile_s",
    "score",
]
