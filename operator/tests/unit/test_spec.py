from __future__ import annotations

import json
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import ValidationError

from seatrial.api.applied import LAST_APPLIED, refuse_dropped_services
from seatrial.api.base import parse_duration
from seatrial.api.spec import Redis, Services, parse_spec
from seatrial.errors import SpecError
from tests.spec_cases import ACCEPTED, REFUSED, Accepted, Refused, run, suite


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_accepts(case: Accepted) -> None:
    spec = parse_spec(case.spec)
    dumped = spec.model_dump(by_alias=True, exclude_none=True)
    assert parse_spec(dumped) == spec
    assert parse_spec(json.loads(spec.model_dump_json(by_alias=True))) == spec


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refuses(case: Refused) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(case.spec)
    message = str(caught.value)
    assert message.startswith(f"{case.path}: "), message
    assert case.message in message
    assert "pydantic" not in message


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in ACCEPTED] + [case.name for case in REFUSED]
    assert len(names) == len(set(names))


def test_defaults_are_complete() -> None:
    assert parse_spec(run()).model_dump(by_alias=True, exclude_none=True) == {
        "services": {},
        "applications": [],
        "suites": [
            {
                "name": "core",
                "command": [],
                "args": [],
                "env": [],
                "shards": 1,
                "retries": 0,
                "timeout": "10m",
                "resources": {"requests": {}, "limits": {}},
            },
        ],
        "parallelism": 1,
        "timeouts": {"provision": "5m", "total": "1h"},
        "retention": {"onSuccess": "0s", "onFailure": "30m"},
        "suspend": False,
        "cancel": False,
    }


def test_service_with_nothing_after_it_is_there() -> None:
    services = parse_spec(run(services={"redis": None})).services
    assert services.redis == Redis()
    assert services.kafka is None


def test_absent_services_stay_absent_through_a_dump() -> None:
    services = Services(redis=Redis())
    assert Services.model_validate(services.model_dump()) == services


def test_every_problem_is_named() -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(suite(shards=0, retries=9, name="A"))
    parts = str(caught.value).split("; ")
    assert [part.split(":")[0] for part in parts] == [
        "spec.suites[0].name",
        "spec.suites[0].shards",
        "spec.suites[0].retries",
    ]


def test_long_values_are_not_repeated() -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(suite(env=[{"name": "TOKEN", "value": "secret" * 1000}]))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("data", [None, "suites", 3, ["suites"]])
def test_a_spec_is_an_object(data: object) -> None:
    with pytest.raises(SpecError, match=r"^spec: must be an object"):
        parse_spec(data)


def test_read_only_views_are_read() -> None:
    assert parse_spec(MappingProxyType(run())) == parse_spec(run())


def test_a_parsed_spec_does_not_change() -> None:
    spec = parse_spec(run())
    with pytest.raises(ValidationError, match="frozen"):
        spec.cancel = True  # type: ignore[misc]


def test_defaults_are_not_shared() -> None:
    first, second = parse_spec(run()), parse_spec(run())
    assert first.suites[0].env is not second.suites[0].env
    assert first.applications is not second.applications


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45s", timedelta(seconds=45)),
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("24h0m1s", timedelta(days=1, seconds=1)),
        ("999999h", timedelta(hours=999999)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "h", "1d", "1m1h", " 1s", "1s\n", "\u0661s", "1.5h", "-1s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write hours, minutes and seconds, such as 1h30m or 45s"):
        parse_duration(text)


def applied(services: object) -> dict[str, Any]:
    return {"annotations": {LAST_APPLIED: json.dumps({"spec": {"services": services}})}}


def test_a_service_that_kubectl_dropped_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^spec\.services\.redis: nothing was written after it.* write `redis: \{\}`"):
        refuse_dropped_services(applied({"postgres": {}, "redis": None}), parse_spec(run()).services)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"annotations": None},
        {"annotations": {}},
        {"annotations": {LAST_APPLIED: "not JSON"}},
        {"annotations": {LAST_APPLIED: '"text"'}},
        {"annotations": {LAST_APPLIED: "{}"}},
        applied(None),
        applied([]),
        applied({"redis": {}}),
        applied({"postgres": None}),
    ],
)
def test_what_kubectl_did_not_drop_is_left_alone(metadata: dict[str, Any]) -> None:
    refuse_dropped_services(metadata, parse_spec(run(services={"postgres": {}})).services)
