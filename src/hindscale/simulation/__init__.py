"""A service in simulated time: cold starts, queues, balancers, failures, nodes, requests, and metrics that lag."""

from hindscale.simulation.cluster import Cluster, NodePool, Placement
from hindscale.simulation.fleet import SimulatedFleet
from hindscale.simulation.monitoring import Monitoring
from hindscale.simulation.run import SimulatedClock, SimulationSettings, simulate
from hindscale.simulation.vertical import VerticalAutoscaler

__all__ = [
    "Cluster",
    "Monitoring",
    "NodePool",
    "Placement",
    "SimulatedClock",
    "SimulatedFleet",
    "SimulationSettings",
    "VerticalAutoscaler",
    "simulate",
]
