from __future__ import annotations

from typing import Any

import pytest

from hindscale.core.errors import ParameterError
from hindscale.live.local import LocalServiceSpec


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"command": ()}, "command must be a program and its arguments, was ()"),
        ({"command": ("serve", "")}, "command must be a program and its arguments, was ('serve', '')"),
        ({"readiness_path": "health"}, "readiness_path must begin with /, was 'health'"),
        ({"slots": 0}, "slots must be a whole number >= 1, was 0"),
        ({"start_timeout_s": 0}, "start_timeout_s must be a number > 0, was 0"),
        ({"drain_timeout_s": -1}, "drain_timeout_s must be a number >= 0, was -1"),
        ({"latency_buckets_s": (1.0, 0.5)}, "latency_buckets_s must rise from above 0, was (1.0, 0.5)"),
        ({"ports": (9000, 8000)}, "first_port must be <= last_port, but 9000 > 8000"),
        ({"ports": (65000, 66000)}, "last_port must be <= largest_port, but 66000 > 65535"),
        ({"gateway_port": 70000}, "gateway_port must be <= largest_port, but 70000 > 65535"),
        ({"max_body_bytes": -1}, "max_body_bytes must be a whole number >= 0, was -1"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as raised:
        LocalServiceSpec(**{"command": ("serve",), **given})
    assert str(raised.value) == message


def test_a_command_is_no_template_and_no_shell_line() -> None:
    spec = LocalServiceSpec(command=("serve", "{port}", "{other}", "$(rm -rf /)", "{0}"), environment={"A": "1"})
    assert spec.command_on(80) == ("serve", "80", "{other}", "$(rm -rf /)", "{0}")
    assert spec.environment_on(80)["PORT"] == "80"
    assert spec.environment_on(80)["A"] == "1"
