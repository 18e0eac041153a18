"""What an operator can ask of a live run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from hindscale.core.errors import ParameterError
from hindscale.live.plan import Plan

__all__ = ["Command"]

CommandKind = Literal["pause", "resume", "bounds", "promote", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What an operator asks for.

    Attributes:
        kind: pause, resume, bounds, promote or rollback.
        policy: Of promote, the shadow.
        min_replicas, max_replicas: Of bounds.
    """

    kind: CommandKind
    policy: str = ""
    min_replicas: int = 0
    max_replicas: int = 0

    def applied(self, plan: Plan, previous: str | None) -> Plan:
        """The plan afterwards.

        Raises:
            ParameterError: If it does not fit the plan.
        """
        if self.kind in ("pause", "resume"):
            return replace(plan, is_paused=self.kind == "pause")
        if self.kind == "bounds":
            return replace(plan, min_replicas=self.min_replicas, max_replicas=self.max_replicas)
        if self.kind == "promote":
            return plan.promoted(self.policy)
        if previous is None:
            raise ParameterError("rollback: no policy was promoted, so there is none to go back to")
        return plan.promoted(previous)

    def __str__(self) -> str:
        said = {"bounds": f" {self.min_replicas}..{self.max_replicas}", "promote": f" {self.policy}"}
        return self.kind + said.get(self.kind, "")
