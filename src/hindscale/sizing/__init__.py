"""Replicas for a load: pure formulas, each with its source."""

from hindscale.sizing.load import replicas_for_load, replicas_for_rate
from hindscale.sizing.normal import NormalSizing, normal_scale_in, normal_scale_out, share_above, share_below
from hindscale.sizing.queueing import capacity_rps, erlang_c, share_within
from hindscale.sizing.utilization import Rounding, scale_in_replicas, scale_out_replicas

__all__ = [
    "NormalSizing",
    "Rounding",
    "capacity_rps",
    "erlang_c",
    "normal_scale_in",
    "normal_scale_out",
    "replicas_for_load",
    "replicas_for_rate",
    "scale_in_replicas",
    "scale_out_replicas",
    "share_above",
    "share_below",
    "share_within",
]
