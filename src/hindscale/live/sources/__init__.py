"""Where measurements of a real fleet come from: pages of metrics, or a Prometheus server.

A source says what it measured, and as plainly what it could not measure. What is missing, old or not a number is
never replaced by a zero: the control loop holds the fleet then.
"""

from hindscale.live.sources.measured import LATENCY_SHARES, Measured, Source, Totals
from hindscale.live.sources.presets import PRESETS, Preset, preset
from hindscale.live.sources.prometheus import PrometheusSource
from hindscale.live.sources.scrape import ScrapeSource

__all__ = [
    "LATENCY_SHARES",
    "PRESETS",
    "Measured",
    "Preset",
    "PrometheusSource",
    "ScrapeSource",
    "Source",
    "Totals",
    "preset",
]
