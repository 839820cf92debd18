"""The configuration file and the environment pod's input: used, or refused with a name; nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial.agent.environment.gate_server import MAX_HEAD_BYTES, Gate
from seatrial.agent.environment.input import MAX_SECONDS, InputError, parse_environment, read_environment
from seatrial.agent.environment.redaction import Redactor
from seatrial.api import parse_spec
from seatrial.plan import make_plan
from seatrial.settings import Settings, SettingsError, load_settings
from tests.builders import INPOD_FILES, RUN, SETTINGS, plan_of, run_spec
from tests.property.strategies import API_JSON, RAW_JSON, RAW_TEXT, damaged

if TYPE_CHECKING:
    from pathlib import Path

Object = dict[str, Any]

BASE = SETTINGS.model_dump(by_alias=True)
INPUT: Object = {
    "deadlineSeconds": 300,
    "gatePort": 8377,
    "services": [
        {"kind": "kafka", "name": "kafka", "topics": [{"name": "t", "partitions": 3, "config": {"a": "b"}}]},
        {"kind": "postgres", "name": "postgres", "initSQL": ["/etc/seatrial/init-sql"]},
    ],
    "applications": [
        {"name": "app", "ready": {"http": {"path": "/healthz", "port": 8080}}},
        {"name": "app2", "ready": {"resolves": {"seconds": 2}}},
    ],
}


def copied(value: Object) -> st.SearchStrategy[Object]:
    return st.builds(lambda: json.loads(json.dumps(value)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configuration")


@given(damaged(copied(BASE)) | API_JSON)
def test_a_configuration_of_any_shape_is_used_or_refused(folder: Path, data: Any) -> None:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    try:
        settings = load_settings(path)
    except SettingsError as error:
        assert str(error).startswith(str(path))  # noqa: PT017  # either is right
        return
    assert isinstance(settings, Settings)
    plan = make_plan(RUN, parse_spec(run_spec()), settings, INPOD_FILES)
    assert plan.namespace_name == plan_of(run_spec()).namespace_name


@given(st.binary(max_size=60))
@example(b"\xff\xfe\x00")
@example(b"a: &a [*a]")
@example(b"[" * 5000)
@example(b"a: !!python/object:os.system {}")
@example(b"2025-13-45: 1")
@example(b"? {a: b}\n: 1")
def test_any_bytes_are_a_configuration_or_refused(folder: Path, data: bytes) -> None:
    path = folder / "bytes.yaml"
    path.write_bytes(data)
    with pytest.raises(SettingsError):
        load_settings(path)


@given(damaged(copied(INPUT), RAW_JSON) | RAW_JSON)
def test_an_input_of_any_shape_is_used_or_refused(data: Any) -> None:
    try:
        environment = parse_environment(data)
    except InputError as error:
        assert str(error)  # noqa: PT017  # either is right
        return
    assert 0 <= environment.deadline_seconds <= MAX_SECONDS
    names = [*(item.name for item in environment.services), *(item.name for item in environment.applications)]
    assert all(isinstance(name, str) for name in names)


@given(st.binary(max_size=60))
@example(b"[" * 100_000)
@example(b'{"deadlineSeconds":NaN,"gatePort":1,"services":[],"applications":[]}')
@example(b'{"deadlineSeconds":1' + b"0" * 400 + b',"gatePort":1,"services":[],"applications":[]}')
@example(b'{"deadlineSeconds":-1,"gatePort":1,"services":[],"applications":[]}')
def test_any_bytes_are_no_input(data: bytes) -> None:
    with pytest.raises(InputError):
        read_environment({"SEATRIAL_ENVIRONMENT": data.decode(errors="surrogateescape")})


@given(st.dictionaries(st.sampled_from(["A_PASSWORD", "A_TOKEN", "A_URL", "HOST"]), RAW_TEXT, max_size=4), RAW_TEXT)
def test_no_secret_survives(variables: dict[str, str], text: str) -> None:
    redact = Redactor(variables)
    said = redact(f"{text} {' '.join(variables.values())} {text}")
    for name, value in variables.items():
        if name != "HOST" and not name.endswith("URL") and len(value) > len("[redacted]"):
            assert value not in said


@given(st.binary(max_size=300) | st.just(b"GET /gate HTTP/1.1\r\n" + b"a: b\r\n" * 3000))
@example(b"GET /gate HTTP/1.1\r\n\r\n")
@example(b"GET /healthz?x HTTP/1.0\r\n\r\nmore")
@example(b"\r\n\r\n")
@example(b"GET  HTTP/1.1\r\n\r\n")
@example(b"A" * (2 * MAX_HEAD_BYTES))
def test_the_gate_answers_whatever_is_asked(request_bytes: bytes) -> None:
    async def ask() -> tuple[int, str] | None:
        gate = Gate(head_seconds=0.05)
        gate.open()
        reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
        reader.feed_data(request_bytes)
        reader.feed_eof()
        try:
            return await gate._respond(reader)
        except (OSError, asyncio.IncompleteReadError):
            return None  # what the caller expects of a client that is gone

    answer = asyncio.run(ask())
    assert answer is None or answer[0] in {200, 400, 404, 405, 431}
    if answer is not None and answer[1] == "open":
        assert request_bytes.startswith((b"GET /gate ", b"GET /gate?"))
