"""Recorded traffic, the load generator, the gateway and a fleet of emulated language models, all at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from hindscale.core.slo import Slo
from hindscale.live.load import LoadPlan, LoadReport, replay
from hindscale.live.load_requests import RequestTemplate
from hindscale.live.local import LocalService
from hindscale.traces import RequestTrace, read_trace
from live_helpers import client, scaled, until

SPEED = 20.0
COMMAND = (sys.executable, "-m", "hindscale.cli.main", "emulate", "--port", "{port}", "--speed", str(SPEED))
MakeService = Callable[..., LocalService]


def emulated(make_service: MakeService) -> LocalService:
    return make_service(command=(*COMMAND, "--cold-start", "10s"), slots=64)


class Load:
    """A replay that runs beside the test."""

    def __init__(self, trace: RequestTrace, url: str) -> None:
        self.sent = 0
        plan = LoadPlan(
            trace=trace,
            url=url,
            template=RequestTemplate(api="chat"),
            speed=SPEED,
            service_speed=SPEED,
            slo=Slo.parse("p95 < 20s"),
        )
        self.report: LoadReport
        self._thread = threading.Thread(target=self._run, args=(plan,))

    def _run(self, plan: LoadPlan) -> None:
        self.report = replay(plan, lambda now: setattr(self, "sent", now.sent))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()


def test_no_recorded_request_is_lost_from_zero_to_three_and_back(make_service: MakeService, real_traces: Path) -> None:
    trace = read_trace(real_traces / "azure_llm_2023_conv.parquet").between(0.0, 90.0)
    assert isinstance(trace, RequestTrace)
    service = emulated(make_service)
    with Load(trace, service.url) as load:
        until(lambda: service.waiting_requests() > 0)
        scaled(service, 1)
        scaled(service, 3)
        scaled(service, 1)
    assert load.report.statuses == {200: int(trace.total_requests)}
    assert load.report.failures == {}
    assert load.report.first_byte.p50_s < load.report.latency.p50_s  # answers came as streams


def test_gateway_and_replicas_count_the_same_requests(make_service: MakeService) -> None:
    service = scaled(emulated(make_service), 1)
    asked = {"prompt": "a b c", "max_tokens": 5}
    assert all(client.post(f"{service.url}/v1/completions", json=asked).is_success for _ in range(7))
    page = client.get(f"{service.url}/metrics").text  # by way of the gateway, from the one replica
    assert 'vllm:request_success_total{engine="0",finished_reason="length",model_name="emulated"} 7.0' in page
    passed = 'envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="service"} 8'
    assert passed in client.get(service.metrics_url).text
