"""What is assumed of a service about which nothing was said, so that a first look needs a trace alone.

An assumption is never silent: the command line prints it, and every report names the service's figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from hindscale.core.distributions import Lognormal, TokenTime
from hindscale.core.errors import ParameterError
from hindscale.core.service import ResourceUse, ServiceProfile
from hindscale.core.slo import Slo
from hindscale.traces.applications import applications
from hindscale.traces.types import RequestTrace, Trace

__all__ = ["LANGUAGE_MODEL", "MODEL_SERVER", "assumed_service"]

MODEL_SERVER = ServiceProfile(name="model-server", queue_timeout_s=60.0)
"""Four requests at once, 400 ms each, half a minute to start; nobody waits longer than a minute."""

LANGUAGE_MODEL = ServiceProfile(
    name="language-model",
    slots=16,
    service_time=TokenTime(prefill_s_per_token=0.0002, decode_s_per_token=0.03),
    cold_start=Lognormal(mean_s=90.0, cv=0.25),
    queue_timeout_s=60.0,
    resources={"accelerator": ResourceUse(idle=0.0, full=1.0)},
    price_per_replica_hour=2.5,
)
"""Some 33 tokens a second to each of sixteen requests, a minute and a half to start."""

MODEL_SERVER_SLO = Slo(latency_s=2.0, percentile=0.99)
LANGUAGE_MODEL_SLO = Slo(latency_s=20.0, percentile=0.95)


def assumed_service(traces: Sequence[Trace]) -> tuple[ServiceProfile, Slo]:
    """Service and SLO for traces that come without.

    An application's traffic has its own, token counts call for a language model, the rest is general, and so is
    what is known without any trace.

    Raises:
        ParameterError: If the traces call for different ones.
    """
    found = [_for_trace(trace) for trace in traces] or [(MODEL_SERVER, MODEL_SERVER_SLO)]
    if any(pair[0].name != found[0][0].name for pair in found):
        names = ", ".join(dict.fromkeys(pair[0].name for pair in found))
        raise ParameterError(f"the traces call for different services ({names}); name one for all of them")
    return found[0]


def _for_trace(trace: Trace) -> tuple[ServiceProfile, Slo]:
    application = applications().get(trace.details.get("application", ""))
    if application is not None:
        return application.service, application.slo
    if isinstance(trace, RequestTrace) and trace.output_tokens is not None:
        return LANGUAGE_MODEL, LANGUAGE_MODEL_SLO
    return MODEL_SERVER, MODEL_SERVER_SLO
