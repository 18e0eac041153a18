"""How many nodes may go at once: 10 in all, 1 of them drained.

Groups that go as a whole ("atomic") go first. One of them may exceed what is left, so that small nodes cannot
starve it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    atomic_sizes: Mapping[str, Collection[int]] | None = None,
    config: BudgetConfig = BUDGET_DEFAULTS,
) -> ToDelete:
    """As many nodes as may go now: atomic groups with an empty node, other atomic ones, empty nodes, nodes to drain.

    An atomic group's empty nodes and its nodes to drain go together or not at all. It goes if both budgets cover
    it; the first one may exceed them, unless one that it needs is used up. Behind one that may not, no other of
    its kind goes.

    Args:
        empty: Removable nodes without pods to move, each group once.
        drain: Removable nodes with such pods, each group once.
        empty_in_progress: Under deletion already.
        drain_in_progress: Likewise, being drained.
        atomic_sizes: Of atomic groups, their target size and their number of registered nodes: one with another
            number of removable nodes is passed over. A group that is not mentioned has no others.
        config: The limits.

    Source: Cluster Autoscaler `core/scaledown/budgets/budgets.go`.
    """
    budget = _Budget(
        left=config.max_scale_down_parallelism - empty_in_progress - drain_in_progress,
        drain_left=config.max_drain_parallelism - drain_in_progress,
        atomic_sizes=atomic_sizes or {},
    )
    of_group = {view.group: view for view in drain if view.is_atomic}
    with_empty = [(view, of_group.pop(view.group, None)) for view in empty if view.is_atomic]
    whole = budget.take_whole(with_empty)
    budget.drain_left = min(budget.left, budget.drain_left)
    whole += budget.take_whole([(None, view) for view in of_group.values()])

    single_empty = _crop_single([view for view in empty if not view.is_atomic], budget.left)
    budget.left -= _count(single_empty)
    single_drain = _crop_single([view for view in drain if not view.is_atomic], min(budget.left, budget.drain_left))
    return ToDelete(
        empty=(*(view for view, _ in whole if view), *single_empty),
        drain=(*(view for _, view in whole if view), *single_drain),
    )


_Whole = tuple[GroupView | None, GroupView | None]  # an atomic group's empty nodes, and its nodes to drain


@dataclass(slots=True, kw_only=True)
class _Budget:
    """What is left while atomic groups take their share."""

    left: int
    drain_left: int
    atomic_sizes: Mapping[str, Collection[int]]
    may_exceed: bool = True

    def take_whole(self, groups: Sequence[_Whole]) -> list[_Whole]:
        taken: list[_Whole] = []
        for empty, drain in groups:
            drained = len(drain.nodes) if drain else 0
            nodes = drained + (len(empty.nodes) if empty else 0)
            is_covered = nodes <= self.left and drained <= self.drain_left
            used_up = self.left == 0 if empty else self.drain_left == 0
            if not is_covered and (used_up or (drained > 0 and self.drain_left == 0) or not self.may_exceed):
                break
            view = empty or drain
            if view and nodes in self.atomic_sizes.get(view.group, {nodes}):
                taken.append((empty, drain))
                self.left -= nodes
                self.drain_left -= drained
                self.may_exceed = False
        return taken


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
