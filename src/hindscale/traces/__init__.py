"""Recorded and synthetic traffic: read, check, describe, resample, and turn into arrivals."""

from hindscale.traces.applications import Application, application, applications
from hindscale.traces.arrivals import ArrivalProcess, arrival_chunks
from hindscale.traces.description import Description, describe
from hindscale.traces.reading import read_trace, write_trace
from hindscale.traces.types import RateTrace, RequestTrace, Trace, UtilizationTrace

__all__ = [
    "Application",
    "ArrivalProcess",
    "Description",
    "RateTrace",
    "RequestTrace",
    "Trace",
    "UtilizationTrace",
    "application",
    "applications",
    "arrival_chunks",
    "describe",
    "read_trace",
    "write_trace",
]
