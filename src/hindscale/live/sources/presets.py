"""What well-known servers and gateways call the things that a scaling decision needs.

A preset names metrics, so that a service file may say `preset: vllm` and no more. Counters and gauges are summed over
all series that fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hindscale.core.errors import ParameterError, did_you_mean

__all__ = ["PRESETS", "Metric", "Preset", "preset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Series of one name.

    Attributes:
        name: As on the page; of a histogram without its suffix.
        labels: What their labels must say; others may say anything.
        without: What their labels must not say.
        unit_s: Seconds in one unit, of latencies; what a value is multiplied by.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    unit_s: float = 1.0

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is one of them.

        >>> Metric(name="up", labels={"job": "vllm"}).fits({"job": "vllm", "instance": "a"})
        True
        """
        return all(labels.get(key) == value for key, value in self.labels.items()) and not any(
            labels.get(key) == value for key, value in self.without.items()
        )

    def selector(self, suffix: str = "", **more: str) -> str:
        """The series in PromQL.

        >>> Metric(name="up", labels={"job": "vllm"}).selector(instance="a")
        'up{job="vllm",instance="a"}'
        """
        parts = [f"{key}={_quoted(value)}" for key, value in (*self.labels.items(), *more.items())]
        parts += [f"{key}!={_quoted(value)}" for key, value in self.without.items()]
        return f"{self.name}{suffix}" + (f"{{{','.join(parts)}}}" if parts else "")


def _quoted(value: str) -> str:
    """A PromQL string: what a label says must not end the string early."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The metrics of one kind of server.

    Attributes:
        name: What a service file calls it.
        title: What it is.
        path: Where the page is.
        arrived: Counts requests that came; None where only those that left are counted: arrivals are then these, and
            what the requests inside have grown by.
        completed: Counts requests that were answered.
        failed: Counts requests that left without an answer; not on the page before the first one.
        ongoing: Requests in service.
        queued: Requests waiting; None where nothing waits.
        ongoing_includes_queued: `ongoing` counts those that wait as well.
        latency: A histogram of whole latencies, queue and service.
        accelerator_utilization: Share of what the accelerator has to give, from 0 to 1.
        uptime: Grows as long as the page is alive, and falls only when its server is started again. Without it a
            frozen page is known only by being the same while requests are on their way.
        start_time: When the server was started; another value means that its counters began again.
    """

    name: str
    title: str
    path: str = "/metrics"
    arrived: Metric | None = None
    completed: Metric
    failed: Metric | None = None
    ongoing: Metric
    queued: Metric | None = None
    ongoing_includes_queued: bool = False
    latency: Metric | None = None
    accelerator_utilization: Metric | None = None
    uptime: Metric | None = None
    start_time: Metric | None = None

    def with_labels(self, labels: Mapping[str, str]) -> Preset:
        """The same, of series that carry these labels only."""

        def narrowed(metric: Metric | None) -> Metric | None:
            return None if metric is None else replace(metric, labels={**metric.labels, **labels})

        completed, ongoing = narrowed(self.completed), narrowed(self.ongoing)
        assert completed is not None
        assert ongoing is not None
        return replace(
            self,
            arrived=narrowed(self.arrived),
            completed=completed,
            failed=narrowed(self.failed),
            ongoing=ongoing,
            queued=narrowed(self.queued),
            latency=narrowed(self.latency),
            accelerator_utilization=narrowed(self.accelerator_utilization),
        )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All that are read."""
        named = (
            self.arrived,
            self.completed,
            self.failed,
            self.ongoing,
            self.queued,
            self.latency,
            self.accelerator_utilization,
            self.uptime,
            self.start_time,
        )
        return tuple(metric for metric in named if metric is not None)


_STARTED = Metric(name="process_start_time_seconds")

ENVOY = Preset(
    name="envoy",
    title="Envoy, as gateway in front of the replicas; a listener is chosen by its envoy_http_conn_manager_prefix",
    path="/stats/prometheus?filter=^(http\\.[^.]*\\.downstream_rq|server\\.uptime)",
    arrived=Metric(name="envoy_http_downstream_rq_total"),
    completed=Metric(name="envoy_http_downstream_rq_xx", without={"envoy_response_code_class": "5"}),
    failed=Metric(name="envoy_http_downstream_rq_xx", labels={"envoy_response_code_class": "5"}),
    ongoing=Metric(name="envoy_http_downstream_rq_active"),
    ongoing_includes_queued=True,
    latency=Metric(name="envoy_http_downstream_rq_time", unit_s=1e-3),
    uptime=Metric(name="envoy_server_uptime"),
)
VLLM = Preset(
    name="vllm",
    title="vLLM's OpenAI server",
    completed=Metric(name="vllm:request_success_total"),
    ongoing=Metric(name="vllm:num_requests_running"),
    queued=Metric(name="vllm:num_requests_waiting"),
    latency=Metric(name="vllm:e2e_request_latency_seconds"),
    accelerator_utilization=Metric(name="vllm:kv_cache_usage_perc"),
    start_time=_STARTED,
)
SGLANG = Preset(
    name="sglang",
    title="SGLang, started with --enable-metrics",
    completed=Metric(name="sglang:e2e_request_latency_seconds_count"),
    ongoing=Metric(name="sglang:num_running_reqs"),
    queued=Metric(name="sglang:num_queue_reqs"),
    latency=Metric(name="sglang:e2e_request_latency_seconds"),
    accelerator_utilization=Metric(name="sglang:token_usage"),
    start_time=_STARTED,
)
TRITON = Preset(
    name="triton",
    title="NVIDIA Triton Inference Server; it has no histogram of latencies and no gauge of requests in service",
    completed=Metric(name="nv_inference_request_success"),
    failed=Metric(name="nv_inference_request_failure"),
    ongoing=Metric(name="nv_inference_pending_request_count"),
    ongoing_includes_queued=True,
    accelerator_utilization=Metric(name="nv_gpu_utilization"),
)
TGI = Preset(
    name="tgi",
    title="Hugging Face Text Generation Inference",
    arrived=Metric(name="tgi_request_count"),
    completed=Metric(name="tgi_request_success"),
    failed=Metric(name="tgi_request_failure"),
    ongoing=Metric(name="tgi_batch_current_size"),
    queued=Metric(name="tgi_queue_size"),
    latency=Metric(name="tgi_request_duration"),
)
RAY_SERVE = Preset(
    name="ray-serve",
    title="Ray Serve, a deployment chosen by its label",
    completed=Metric(name="ray_serve_deployment_processing_latency_ms_count"),
    failed=Metric(name="ray_serve_deployment_error_counter_total"),
    ongoing=Metric(name="ray_serve_replica_processing_queries"),
    queued=Metric(name="ray_serve_deployment_queued_queries"),
    latency=Metric(name="ray_serve_deployment_processing_latency_ms", unit_s=1e-3),
)

PRESETS: Mapping[str, Preset] = {each.name: each for each in (ENVOY, VLLM, SGLANG, TRITON, TGI, RAY_SERVE)}


def preset(name: str) -> Preset:
    """A preset by its name.

    Raises:
        ParameterError: If there is none; the nearest name is suggested.
    """
    if name not in PRESETS:
        raise ParameterError(f"unknown preset {name!r}; {did_you_mean(name, PRESETS)}")
    return PRESETS[name]
