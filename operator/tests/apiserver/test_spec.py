"""The API server and the local engine take and refuse the same specs."""

from __future__ import annotations

import pytest

from seatrial.api.spec import parse_spec
from tests.apiserver.conftest import Api, Refusal
from tests.spec_cases import ACCEPTED, REFUSED, Accepted, Refused, run

pytestmark = pytest.mark.apiserver


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_accepts(api: Api, case: Accepted) -> None:
    stored = api.run(case.spec, dry_run=True)["spec"]
    spec = parse_spec(case.spec)
    assert parse_spec(stored) == spec
    if not case.nulls:
        assert stored == spec.model_dump(by_alias=True, exclude_none=True), "the same defaults on both sides"


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refuses(api: Api, case: Refused) -> None:
    with pytest.raises(Refusal) as caught:
        api.run(case.spec, dry_run=True)
    assert case.server_message in caught.value.message
    assert case.path in caught.value.message


def test_service_with_nothing_after_it_is_kept(api: Api) -> None:
    stored = api.get(api.run(run(services={"redis": None})))
    assert stored["spec"]["services"] == {"redis": None}


def test_unknown_fields_are_pruned_where_the_client_does_not_ask(api: Api) -> None:
    stored = api.run(run(services={"mysql": {}}, timeout="5m"), strict=False, dry_run=True)["spec"]
    assert stored == parse_spec(run()).model_dump(by_alias=True, exclude_none=True)


def test_a_run_needs_a_spec(api: Api) -> None:
    with pytest.raises(Refusal, match="spec: Required value"):
        api.run(None, dry_run=True)
