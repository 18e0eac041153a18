"""How many nodes may go at once: 10 in all, 1 of them drained; groups that go as a whole may exceed it once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from hindscale.core.checks import require_at_least

__all__ = ["BUDGET_DEFAULTS", "BudgetConfig", "GroupView", "ToDelete", "crop_to_budgets", "group_nodes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """The autoscaler's flags.

    Attributes:
        max_scale_down_parallelism: Nodes that may be under deletion at once.
        max_drain_parallelism: Those of them that are being drained.
    """

    max_scale_down_parallelism: int = 10
    max_drain_parallelism: int = 1

    def __post_init__(self) -> None:
        require_at_least(
            1,
            max_scale_down_parallelism=self.max_scale_down_parallelism,
            max_drain_parallelism=self.max_drain_parallelism,
        )


BUDGET_DEFAULTS = BudgetConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """Some nodes of one group; `is_atomic` groups go as a whole."""

    group: str
    nodes: tuple[str, ...]
    is_atomic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDelete:
    """Nodes to delete now: empty ones, and those to drain first."""

    empty: tuple[GroupView, ...] = ()
    drain: tuple[GroupView, ...] = ()


def group_nodes(nodes: Iterable[tuple[str, str]], atomic_groups: Collection[str] = ()) -> tuple[GroupView, ...]:
    """(node, group) pairs, by group in order of appearance."""
    by_group: dict[str, list[str]] = {}
    for node, group in nodes:
        by_group.setdefault(group, []).append(node)
    return tuple(
        GroupView(group=group, nodes=tuple(names), is_atomic=group in atomic_groups)
        for group, names in by_group.items()
    )


def crop_to_budgets(
    empty: Sequence[GroupView],
    drain: Sequence[GroupView],
    *,
    empty_in_progress: int = 0,
    drain_in_progress: int = 0,
    config: BudgetConfig = BUDGET_DEFAULTS,
) -> ToDelete:
    """As many nodes as may go now: atomic empty groups, atomic ones to drain, then empty nodes, then nodes to drain.

    One atomic group may exceed what is left, so that small nodes cannot starve it.

    Args:
        empty: Removable nodes without pods to move.
        drain: Removable nodes with such pods.
        empty_in_progress: Under deletion already.
        drain_in_progress: Likewise, being drained.
        config: The limits.

    Source: Cluster Autoscaler `core/scaledown/budgets/budgets.go`.
    """
    left = config.max_scale_down_parallelism - empty_in_progress - drain_in_progress
    drain_left = config.max_drain_parallelism - drain_in_progress

    whole_empty, may_exceed = _crop_whole([view for view in empty if view.is_atomic], left, may_exceed=True)
    left -= _count(whole_empty)
    drain_left = min(left, drain_left)
    whole_drain, _ = _crop_whole([view for view in drain if view.is_atomic], drain_left, may_exceed=may_exceed)
    left -= _count(whole_drain)
    drain_left -= _count(whole_drain)

    single_empty = _crop_single([view for view in empty if not view.is_atomic], left)
    left -= _count(single_empty)
    single_drain = _crop_single([view for view in drain if not view.is_atomic], min(left, drain_left))
    return ToDelete(empty=(*whole_empty, *single_empty), drain=(*whole_drain, *single_drain))


def _crop_whole(views: Sequence[GroupView], budget: int, *, may_exceed: bool) -> tuple[tuple[GroupView, ...], bool]:
    taken: list[GroupView] = []
    for view in views:
        if budget < len(view.nodes) and (budget == 0 or not may_exceed):
            break
        taken.append(view)
        budget -= len(view.nodes)
        may_exceed = False
    return tuple(taken), may_exceed


def _crop_single(views: Sequence[GroupView], budget: int) -> tuple[GroupView, ...]:
    taken: list[GroupView] = []
    for view in views:
        if budget < 1:
            break
        taken.append(GroupView(group=view.group, nodes=view.nodes[:budget]))
        budget -= len(taken[-1].nodes)
    return tuple(taken)


def _count(views: Iterable[GroupView]) -> int:
    return sum(len(view.nodes) for view in views)
