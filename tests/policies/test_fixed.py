from __future__ import annotations

import pytest

from hindscale.core import Constant, ParameterError, ServiceProfile, ServiceSpec, Slo
from hindscale.policies.fixed import Fixed
from hindscale.testing import observation

PROFILE = ServiceProfile(slots=4, service_time=Constant(0.5))


def test_it_never_moves() -> None:
    policy = Fixed(replicas=7)
    assert [policy.decide(observation(ready=n), None)[0].desired_replicas for n in (0, 7, 70)] == [7, 7, 7]


def test_without_a_size_it_takes_what_the_peak_needs_and_admits_the_hindsight() -> None:
    # C = 4.70 a second (see sizing): 46 a second need 10 replicas.
    spec = ServiceSpec(profile=PROFILE, slo=Slo(latency_s=1.0), peak_rate_rps=46.0)
    assert Fixed.for_service(spec) == Fixed(replicas=10, hindsight=True)
    assert Fixed.for_service(spec, replicas=3) == Fixed(replicas=3, hindsight=False)


def test_without_a_size_or_a_peak_it_says_what_is_missing() -> None:
    with pytest.raises(ParameterError, match="fixed needs replicas"):
        Fixed.for_service(ServiceSpec(profile=PROFILE, slo=Slo(latency_s=1.0)))
