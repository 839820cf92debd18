from __future__ import annotations

import json
from typing import Any

import pytest

from seatrial.agent.environment.input import (
    Application,
    Environment,
    HttpReady,
    InputError,
    ResolvesReady,
    Service,
    TcpReady,
    Topic,
    parse_environment,
    read_environment,
    variable,
)

CONTRACT: dict[str, Any] = {
    "deadlineSeconds": 300,
    "gatePort": 8377,
    "services": [
        {"kind": "kafka", "name": "kafka", "topics": [{"name": "t", "partitions": 3, "config": {"retention.ms": "1"}}]},
        {"kind": "redpanda", "name": "redpanda", "topics": [], "schemaRegistry": True},
        {"kind": "redis", "name": "redis"},
        {"kind": "postgres", "name": "postgres", "initSQL": ["/etc/seatrial/init-sql"]},
    ],
    "applications": [
        {"name": "app", "ready": {"http": {"path": "/healthz", "port": 8080}}},
        {"name": "app2", "ready": {"tcp": {"port": 9000}}},
        {"name": "app3", "ready": {"resolves": {"seconds": 0}}},
    ],
}


def test_the_contract_is_understood() -> None:
    assert read_environment({"SEATRIAL_ENVIRONMENT": json.dumps(CONTRACT)}) == Environment(
        deadline_seconds=300.0,
        gate_port=8377,
        services=(
            Service("kafka", "kafka", topics=(Topic("t", 3, {"retention.ms": "1"}),)),
            Service("redpanda", "redpanda", schema_registry=True),
            Service("redis", "redis"),
            Service("postgres", "postgres", init_sql=("/etc/seatrial/init-sql",)),
        ),
        applications=(
            Application("app", HttpReady("/healthz", 8080)),
            Application("app2", TcpReady(9000)),
            Application("app3", ResolvesReady()),
        ),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"services": {}}, "member services is missing or of the wrong type"),
        ({"gatePort": "8377"}, "member gatePort is missing or of the wrong type"),
        ({"services": [{"kind": "redis"}]}, "member name is missing"),
        ({"services": ["redis"]}, 'expected an object with the member kind, found "redis"'),
        ({"applications": [{"name": "a", "ready": {"grpc": {}}}]}, "application a is none of http, tcp and resolves"),
        ({"applications": [{"name": "a", "ready": {"tcp": {"port": "http"}}}]}, "application a is none of"),
        ({"deadlineSeconds": float("nan")}, "member deadlineSeconds is nan; expected 0 to 1000000 seconds"),
        ({"deadlineSeconds": 10**400}, "member deadlineSeconds is 10000000000000000000; expected"),
        ({"applications": [{"name": "a", "ready": {"resolves": {"seconds": -1}}}]}, "member seconds is -1; expected"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_environment(CONTRACT | change)


@pytest.mark.parametrize("text", ["", '{"gatePort"', "[" * 100_000], ids=["empty", "half", "deep"])
def test_input_that_is_not_json_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"^the variable SEATRIAL_ENVIRONMENT is not JSON: "):
        read_environment({"SEATRIAL_ENVIRONMENT": text})


def test_a_pod_without_input_is_told_so() -> None:
    with pytest.raises(InputError, match=r"^the variable SEATRIAL_ENVIRONMENT is not set$"):
        read_environment({})


def test_a_missing_variable_is_named() -> None:
    assert variable({"A": "1"}, "A") == "1"
    with pytest.raises(InputError, match="the variable B is not set"):
        variable({"A": "1"}, "B")
