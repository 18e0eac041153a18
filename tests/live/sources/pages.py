"""A server of metrics pages that does as it is told: it hangs, lies, freezes, dribbles, or goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Pages:
    """What is served; tests change it while it is being served."""

    text: Callable[[], str]
    status: int = 200
    delay_s: float = 0.0
    dribble_s: float = 0.0  # between two pieces of a page
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    address: str = ""


class _Handler(BaseHTTPRequestHandler):
    pages: Pages

    def do_GET(self) -> None:
        pages = self.pages
        pages.asked.append(self.path)
        pages.headers.append(dict(self.headers))
        time.sleep(pages.delay_s)
        body = pages.text().encode()
        try:
            self.send_response(pages.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            step = max(len(body) // 10, 1) if pages.dribble_s else len(body) or 1
            for begin in range(0, len(body), step):
                self.wfile.write(body[begin : begin + step])
                self.wfile.flush()
                time.sleep(pages.dribble_s)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(text: Callable[[], str]) -> Iterator[Pages]:
    """Pages on a free port of loopback."""
    pages = Pages(text=text)
    handler = type("Handler", (_Handler,), {"pages": pages})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    pages.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield pages
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Vllm:
    """A vLLM server as its page shows it."""

    served: float = 0.0
    running: float = 0.0
    waiting: float = 0.0
    cache: float = 0.0
    started: float = 1000.0
    slow: float = 0.0  # of those served, how many took more than two seconds

    def page(self) -> str:
        """Its page of metrics."""
        fast = self.served - self.slow
        return "\n".join(
            [
                "# TYPE vllm:num_requests_running gauge",
                f'vllm:num_requests_running{{model_name="m"}} {self.running}',
                f'vllm:num_requests_waiting{{model_name="m"}} {self.waiting}',
                f'vllm:kv_cache_usage_perc{{model_name="m"}} {self.cache}',
                "# TYPE vllm:request_success_total counter",
                f'vllm:request_success_total{{finished_reason="stop",model_name="m"}} {self.served}',
                "# TYPE vllm:e2e_request_latency_seconds histogram",
                f'vllm:e2e_request_latency_seconds_bucket{{le="1.0",model_name="m"}} {fast}',
                f'vllm:e2e_request_latency_seconds_bucket{{le="2.0",model_name="m"}} {fast}',
                f'vllm:e2e_request_latency_seconds_bucket{{le="10.0",model_name="m"}} {self.served}',
                f'vllm:e2e_request_latency_seconds_bucket{{le="+Inf",model_name="m"}} {self.served}',
                f"process_start_time_seconds {self.started}",
                "",
            ]
        )


@dataclass
class Envoy:
    """A gateway as its page shows it."""

    arrived: float = 0.0
    answered: float = 0.0
    errors: float | None = None  # not on the page before the first one
    active: float = 0.0
    uptime: float = 10.0

    def page(self) -> str:
        """Its page of metrics."""
        label = 'envoy_http_conn_manager_prefix="service"'
        lines = [
            f"envoy_http_downstream_rq_total{{{label}}} {self.arrived}",
            f'envoy_http_downstream_rq_xx{{envoy_response_code_class="2",{label}}} {self.answered}',
            f"envoy_http_downstream_rq_active{{{label}}} {self.active}",
            f'envoy_http_downstream_rq_time_bucket{{le="500",{label}}} {self.answered}',
            f'envoy_http_downstream_rq_time_bucket{{le="+Inf",{label}}} {self.answered}',
            f"envoy_server_uptime {self.uptime}",
        ]
        if self.errors is not None:
            lines.append(f'envoy_http_downstream_rq_xx{{envoy_response_code_class="5",{label}}} {self.errors}')
        return "\n".join(lines) + "\n"
