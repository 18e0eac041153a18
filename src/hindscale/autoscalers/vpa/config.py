"""The recommender's flags, under the names they have on its command line."""

from __future__ import annotations

from dataclasses import dataclass

from hindscale.core.checks import require_at_least, require_nonnegative, require_positive
from hindscale.core.errors import ParameterError

__all__ = ["DEFAULTS", "RecommenderConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommenderConfig:
    """The recommender's flags.

    Attributes:
        recommendation_margin_fraction: Share that is added to usage; >= 0.
        pod_recommendation_min_cpu_millicores: Least CPU of a pod, shared equally among its containers.
        pod_recommendation_min_memory_mb: Least memory of a pod in MiB (the flag says mb), shared likewise.
        target_cpu_percentile: In [0, 1].
        recommendation_lower_bound_cpu_percentile: In [0, 1].
        recommendation_upper_bound_cpu_percentile: In [0, 1].
        confidence_interval_cpu_s: History of this length makes the upper CPU bound twice the estimate.
        target_memory_percentile: In [0, 1].
        recommendation_lower_bound_memory_percentile: In [0, 1].
        recommendation_upper_bound_memory_percentile: In [0, 1].
        confidence_interval_memory_s: Likewise for memory.
        round_cpu_millicores: CPU is rounded up to a multiple of it.
        round_memory_bytes: Memory is rounded up to a multiple of it.
        container_recommendation_max_allowed_cpu_millicores: Cap where a policy gives none; None for no cap.
        container_recommendation_max_allowed_memory_bytes: Likewise.
    """

    recommendation_margin_fraction: float = 0.15
    pod_recommendation_min_cpu_millicores: float = 25.0
    pod_recommendation_min_memory_mb: float = 250.0
    target_cpu_percentile: float = 0.9
    recommendation_lower_bound_cpu_percentile: float = 0.5
    recommendation_upper_bound_cpu_percentile: float = 0.95
    confidence_interval_cpu_s: float = 86_400.0
    target_memory_percentile: float = 0.9
    recommendation_lower_bound_memory_percentile: float = 0.5
    recommendation_upper_bound_memory_percentile: float = 0.95
    confidence_interval_memory_s: float = 86_400.0
    round_cpu_millicores: int = 1
    round_memory_bytes: int = 1
    container_recommendation_max_allowed_cpu_millicores: int | None = None
    container_recommendation_max_allowed_memory_bytes: int | None = None

    def __post_init__(self) -> None:
        require_nonnegative(
            recommendation_margin_fraction=self.recommendation_margin_fraction,
            pod_recommendation_min_cpu_millicores=self.pod_recommendation_min_cpu_millicores,
            pod_recommendation_min_memory_mb=self.pod_recommendation_min_memory_mb,
        )
        require_positive(
            confidence_interval_cpu_s=self.confidence_interval_cpu_s,
            confidence_interval_memory_s=self.confidence_interval_memory_s,
        )
        require_at_least(1, round_cpu_millicores=self.round_cpu_millicores, round_memory_bytes=self.round_memory_bytes)
        for name in (field for field in self.__dataclass_fields__ if field.endswith("_percentile")):
            if not 0 <= getattr(self, name) <= 1:
                raise ParameterError(f"{name} must be in [0, 1], was {getattr(self, name)!r}")


DEFAULTS = RecommenderConfig()
