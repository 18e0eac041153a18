"""A service in simulated time: cold starts, queues, balancers, failures, and metrics that lag."""

from hindscale.simulation.fleet import Monitoring, SimulatedFleet
from hindscale.simulation.run import SimulatedClock, SimulationSettings, simulate

__all__ = ["Monitoring", "SimulatedClock", "SimulatedFleet", "SimulationSettings", "simulate"]
