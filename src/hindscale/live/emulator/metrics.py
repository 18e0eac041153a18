"""What vLLM tells of itself, under vLLM's names.

Times are the model's: with a `speed` other than 1 they are what they would have been at 1. Time per output token
is told under three names, since vLLM changed its mind: dashboards and autoscalers read any of them.

Source: vLLM's metrics page (v1 engine).
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from hindscale.live.emulator.engine import Engine, Sequence

__all__ = ["Metrics"]

LABELS = ("model_name", "engine")
FIRST_TOKEN_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
PER_TOKEN_S = (
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    20.0,
    40.0,
    80.0,
)
WHOLE_S = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
GAUGES = {
    "vllm:num_requests_running": "Requests in model execution batches.",
    "vllm:num_requests_waiting": "Requests waiting to be processed.",
    "vllm:kv_cache_usage_perc": "KV-cache usage; 1 means 100 percent.",
    "vllm:gpu_cache_usage_perc": "The same under its former name.",
}
COUNTERS = {
    "vllm:prompt_tokens": "Prefill tokens processed.",
    "vllm:generation_tokens": "Generation tokens processed.",
    "vllm:num_preemptions": "Preemptions of the engine.",
}
PER_TOKEN = (
    "vllm:time_per_output_token_seconds",
    "vllm:inter_token_latency_seconds",
    "vllm:request_time_per_output_token_seconds",
)
HISTOGRAMS = {
    "vllm:time_to_first_token_seconds": FIRST_TOKEN_S,
    **dict.fromkeys(PER_TOKEN, PER_TOKEN_S),
    "vllm:e2e_request_latency_seconds": WHOLE_S,
    "vllm:request_queue_time_seconds": WHOLE_S,
}


class Metrics:
    """The metrics page of one engine."""

    def __init__(self, model_name: str, engine: Engine) -> None:
        self._engine = engine
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        of_model = {"model_name": model_name, "engine": "0"}
        self._gauges = {
            name: Gauge(name, text, LABELS, registry=self._registry).labels(**of_model) for name, text in GAUGES.items()
        }
        self._counters = {
            name: Counter(name, text, LABELS, registry=self._registry).labels(**of_model)
            for name, text in COUNTERS.items()
        }
        self._histograms = {
            name: Histogram(name, "Seconds.", LABELS, registry=self._registry, buckets=edges).labels(**of_model)
            for name, edges in HISTOGRAMS.items()
        }
        success = Counter("vllm:request_success", "Finished.", (*LABELS, "finished_reason"), registry=self._registry)
        self._success = success.labels(**of_model, finished_reason="length")
        self._preemptions = 0

    def finished(self, sequence: Sequence) -> None:
        """Count a request that has all its tokens."""
        self._success.inc()
        self._counters["vllm:prompt_tokens"].inc(sequence.input_tokens)
        self._counters["vllm:generation_tokens"].inc(sequence.output_tokens)
        observe = {name: histogram.observe for name, histogram in self._histograms.items()}
        observe["vllm:time_to_first_token_seconds"](sequence.first_token_s - sequence.arrived_s)
        observe["vllm:e2e_request_latency_seconds"](sequence.finished_s - sequence.arrived_s)
        observe["vllm:request_queue_time_seconds"](sequence.admitted_s - sequence.arrived_s)
        if sequence.output_tokens > 1:
            per_token_s = (sequence.finished_s - sequence.first_token_s) / (sequence.output_tokens - 1)
            for name in PER_TOKEN:
                observe[name](per_token_s)

    def page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        self._gauges["vllm:num_requests_running"].set(len(self._engine.running))
        self._gauges["vllm:num_requests_waiting"].set(len(self._engine.waiting))
        self._gauges["vllm:kv_cache_usage_perc"].set(self._engine.cache_usage)
        self._gauges["vllm:gpu_cache_usage_perc"].set(self._engine.cache_usage)
        self._counters["vllm:num_preemptions"].inc(self._engine.preemptions - self._preemptions)
        self._preemptions = self._engine.preemptions
        return generate_latest(self._registry)
