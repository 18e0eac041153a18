"""A service in simulated time: cold starts, queues, balancers, failures, nodes, and metrics that lag."""

from hindscale.simulation.cluster import Cluster, NodePool, Placement
from hindscale.simulation.fleet import SimulatedFleet
from hindscale.simulation.monitoring import Monitoring
from hindscale.simulation.run import SimulatedClock, SimulationSettings, simulate

__all__ = [
    "Cluster",
    "Monitoring",
    "NodePool",
    "Placement",
    "SimulatedClock",
    "SimulatedFleet",
    "SimulationSettings",
    "simulate",
]
