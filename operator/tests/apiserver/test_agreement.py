"""Specs nobody thought of: drawn from the schema, now and then wrong, judged by both sides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.api.crd import crds
from seatrial.api.spec import parse_spec
from seatrial.errors import SpecError
from tests.apiserver.conftest import Api, Refusal

if TYPE_CHECKING:
    from seatrial.api.spec import TestRunSpec

pytestmark = pytest.mark.apiserver

WORDS = ("a", "b", "redis", "http", "1h", "90s", "24h", "24h1s", "/a/b.xml", "256Mi")
ODD = st.sampled_from([None, "", "A b", "é", "\u00a0", 0, -1, 33, 1.5, True, [], {}, ["a"], {"name": "a"}, *WORDS])
"""Values that are right in some places and wrong in most."""
ODD_ONES_IN_100 = 2


def specs(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, of which a few are not."""
    return st.integers(1, 100).flatmap(lambda roll: ODD if roll <= ODD_ONES_IN_100 else _proper(schema))


def _proper(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema["type"]:
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], min(schema["maximum"], schema["minimum"] + 3))
        case "string":
            return _text(schema)
        case "array":
            return st.lists(specs(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
        case _ if "properties" in schema:
            members = {name: specs(member) for name, member in schema["properties"].items()}
            required = {name: members.pop(name) for name in schema.get("required", [])}
            return st.fixed_dictionaries(required, optional=members)
        case _:
            return st.dictionaries(st.sampled_from(["a", "b.c"]), specs(schema["additionalProperties"]), max_size=2)


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema["maxLength"]
    if "pattern" not in schema:
        return st.text(st.characters(codec="utf-8"), min_size=least, max_size=12)
    fitting = st.sampled_from([word for word in WORDS if re.search(schema["pattern"], word)])
    drawn = st.from_regex(schema["pattern"].replace("$", r"\Z")).filter(lambda text: least <= len(text) <= most)
    return fitting | drawn


SPEC = crds()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def judged_locally(spec: object) -> TestRunSpec | str:
    try:
        return parse_spec(spec)
    except SpecError as error:
        return str(error)


def judged_by_the_server(api: Api, spec: object) -> TestRunSpec | str:
    try:
        return parse_spec(api.run(spec, dry_run=True)["spec"])
    except Refusal as refusal:
        return refusal.message


@settings(max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(spec=_proper(SPEC))
def test_both_sides_agree(api: Api, spec: dict[str, Any]) -> None:
    local, server = judged_locally(spec), judged_by_the_server(api, spec)
    if isinstance(local, str) or isinstance(server, str):
        assert isinstance(local, str), f"accepted locally, refused by the API server: {server}"
        assert isinstance(server, str), f"refused locally, accepted by the API server: {local}"
    else:
        assert server == local
