"""A first suite for a run that has none: connect to everything that is there."""

from __future__ import annotations

from typing import Any

_VARIABLES = {
    "kafka": ("KAFKA_BOOTSTRAP_SERVERS", ""),
    "redpanda": ("KAFKA_BOOTSTRAP_SERVERS", ""),
    "redis": ("REDIS_HOST", "REDIS_PORT"),
    "postgres": ("DATABASE_HOST", "DATABASE_PORT"),
    "influxdb": ("INFLUXDB_HOST", "INFLUXDB_PORT"),
}


def smoke_test(applications: list[dict[str, Any]], services: list[str]) -> str:
    """A test module that connects to every port of every application, and to every service."""
    lines = ["import os", "import socket", "", "import pytest", "", "ADDRESSES = ["]
    for application in applications:
        lines += [f'    ("{application["name"]}", {port["port"]}),' for port in application.get("ports", ())]
    for service in services:
        host, port = _VARIABLES[service]
        if port:
            lines.append(f'    (os.environ["{host}"], int(os.environ["{port}"])),')
        else:
            lines.append(f'    (os.environ["{host}"].split(":")[0], int(os.environ["{host}"].split(":")[1])),')
    lines += [
        "]",
        "",
        "",
        '@pytest.mark.parametrize(("host", "port"), ADDRESSES)',
        "def test_accepts_a_connection(host, port):",
        "    with socket.create_connection((host, port), timeout=10):",
        "        pass",
    ]
    return "\n".join(lines) + "\n"
