"""The fluid service at both ends of the control loop: any policy runs on it as it runs on a simulated fleet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hindscale.core.service import ServiceSpec
from hindscale.core.values import Observation
from hindscale.simulation.monitoring import missing_utilization, utilization
from hindscale.training.fluid import Flow, FluidService, FluidState, advance

__all__ = ["FluidFleet"]


class FluidFleet:
    """A `MetricsSource` and an `Actuator` over the fluid model.

    Attributes:
        state: The fleet and its queue now.
        flows: What went through in each interval so far.
    """

    def __init__(self, spec: ServiceSpec, requests: Sequence[float], *, initial_replicas: int) -> None:
        self._spec = spec
        self._service = FluidService.of(spec)
        self._requests = requests
        self.state = FluidState(ready=initial_replicas, starting=(0,) * self._service.start_steps)
        self.flows: list[Flow] = []

    def observe(self, now_s: float) -> Observation:
        """Let the next interval pass, which ends at `now_s`, and say what is then known."""
        self.state, flow = advance(self._service, self.state, self._requests[len(self.flows)])
        self.flows.append(flow)
        profile, interval_s = self._spec.profile, self._spec.control_interval_s
        busy = flow.served * self._service.service_s / interval_s
        measured: dict[str, Any] = {}
        if flow.serving_replica_s > 0:
            measured = utilization(profile, min(busy * interval_s / (flow.serving_replica_s * profile.slots), 1.0))
        seen = Observation(
            time_s=now_s,
            ready_replicas=self.state.ready,
            starting_replicas=sum(self.state.starting),
            draining_replicas=round(self.state.draining),
            measured_at_s=now_s,
            arrival_rate_rps=flow.arrived / interval_s,
            completion_rate_rps=flow.served / interval_s,
            ongoing_requests=busy,
            queued_requests=self.state.queue,
            slo_attainment=flow.met / flow.arrived if flow.arrived else math.nan,
            missing=missing_utilization(tuple(measured)),
        )
        return replace(seen, **measured)

    def scale_to(self, replicas: int) -> None:
        """Ask for a fleet of this size."""
        self.state = self.state.scaled_to(replicas)
