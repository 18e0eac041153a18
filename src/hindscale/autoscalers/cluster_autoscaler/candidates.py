"""Which nodes a loop looks at for removal, and how many of them it lets be unneeded."""

from __future__ import annotations

from collections.abc import Iterable

from hindscale.autoscalers.cluster_autoscaler.eligibility import SCALE_DOWN_DEFAULTS, ScaleDownConfig
from hindscale.autoscalers.cluster_autoscaler.provisioning import is_starting
from hindscale.autoscalers.cluster_autoscaler.values import Node, NodeGroup
from hindscale.core.checks import require_count, require_positive

__all__ = ["SCAN_INTERVAL_S", "scale_down_candidates", "unneeded_limit"]

SCAN_INTERVAL_S = 10.0


def scale_down_candidates(nodes: Iterable[Node], groups: Iterable[NodeGroup], now_s: float) -> tuple[str, ...]:
    """Names of the nodes that may be unneeded: of a group above its minimum, and not still starting.

    So the clock of a node does not run while its group is at its minimum, nor before it was ready for the first
    time (for 15 min at most).

    Args:
        nodes: Registered ones.
        groups: The autoscaled ones, with their target sizes.
        now_s: Now.

    Source: Cluster Autoscaler `processors/nodes/pre_filtering_processor.go`, `core/static_autoscaler.go`.
    """
    above_minimum = {group.name for group in groups if group.target_size > group.min_size}
    return tuple(node.name for node in nodes if node.group in above_minimum and not is_starting(node, now_s))


def unneeded_limit(
    previously: int, config: ScaleDownConfig = SCALE_DOWN_DEFAULTS, *, loop_interval_s: float = SCAN_INTERVAL_S
) -> int:
    """How many nodes of groups that do not go as a whole may be unneeded; the rest is not looked at in this loop.

    min(previously + 2 n, n floor(unneeded time / interval) + n), where n nodes may go at once.

    Args:
        previously: Nodes that were unneeded in the last loop.
        config: Parallelism and unneeded time.
        loop_interval_s: Shortest time between two loops so far.

    Source: Cluster Autoscaler `core/scaledown/planner/planner.go`.

    >>> unneeded_limit(0), unneeded_limit(20), unneeded_limit(9999)
    (20, 40, 610)
    """
    require_count(previously=previously)
    require_positive(loop_interval_s=loop_interval_s)
    at_once = config.budgets.max_scale_down_parallelism
    loops = int(max(config.scale_down_unneeded_time_s, loop_interval_s) // loop_interval_s)
    return min(previously + 2 * at_once, at_once * loops + at_once)
