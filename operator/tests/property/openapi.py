"""The structural schemas of our CRDs, both ways: is a value valid, and what values are.

A structural schema is OpenAPI 3.0 with Kubernetes' own members (`x-kubernetes-list-map-keys`), which validators of
JSON Schema do not know. CEL rules are left to the tests with a real API server.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from seatrial.api.crd import crds

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

INT64 = 2**63
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def schema_of(kind: str, member: str) -> Schema:
    """The schema of `spec` or `status` of one of our kinds, as it is in the CRD."""
    (definition,) = (item for item in crds() if item["spec"]["names"]["kind"] == kind)
    version = definition["spec"]["versions"][0]
    schema: Schema = version["schema"]["openAPIV3Schema"]["properties"][member]
    return schema


def problems(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    """What the API server would refuse in a value, or silently remove from it."""
    if value is None and schema.get("nullable"):
        return
    kind = schema["type"]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{path}: {type(value).__name__} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str):
        yield from _text_problems(schema, value, path)
    elif isinstance(value, list):
        yield from _list_problems(schema, value, path)
    elif isinstance(value, dict):
        yield from _object_problems(schema, value, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        widest = INT64 if kind == "integer" else math.inf
        if not schema.get("minimum", -widest) <= value <= schema.get("maximum", widest):
            yield f"{path}: {value} is out of range"
        if kind == "number" and value - value != 0:
            yield f"{path}: {value} is no number in JSON"


def _text_problems(schema: Schema, value: str, path: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{path}: {len(value)} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"
    if schema.get("format") == "date-time":
        try:
            datetime.fromisoformat(value)
        except ValueError:
            yield f"{path}: {value!r} is no time"


def _list_problems(schema: Schema, value: list[Any], path: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{path}: {len(value)} items"
    for index, item in enumerate(value):
        yield from problems(schema["items"], item, f"{path}[{index}]")
    if keys := schema.get("x-kubernetes-list-map-keys"):
        seen = [tuple(item.get(key) for key in keys) for item in value]
        if len(set(seen)) != len(seen):
            yield f"{path}: an item of the same {keys} is there twice"


def _object_problems(schema: Schema, value: dict[str, Any], path: str) -> Iterator[str]:
    if missing := [key for key in schema.get("required", ()) if key not in value]:
        yield f"{path}: without {missing}"
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{path}: {len(value)} members"
    for key, member in value.items():
        inner = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
        if inner is None:
            yield f"{path}.{key} is unknown and would be removed"
        else:
            yield from problems(inner, member, f"{path}.{key}")


CHARACTERS = st.characters(exclude_categories=["Cs"])
"""What the API server can hold: it replaces lone surrogates when it reads JSON."""
TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat().replace("+00:00", "Z"))


def valid(schema: Schema, items: int = 3) -> st.SearchStrategy[Any]:
    """Values that the API server takes, but for CEL rules; lists have at most so many items, unless they must."""
    if "enum" in schema:
        values: st.SearchStrategy[Any] = st.sampled_from(schema["enum"])
    else:
        values = _VALUES[schema["type"]](schema, items)
    return values | st.none() if schema.get("nullable") else values


def _texts(schema: Schema, _: int) -> st.SearchStrategy[Any]:
    low, high = schema.get("minLength", 0), schema.get("maxLength", 1 << 20)
    if schema.get("format") == "date-time":
        return TIMES
    if "pattern" in schema:
        whole = schema["pattern"].endswith("$")
        texts = st.from_regex(re.compile(schema["pattern"].rstrip("$"), re.ASCII), fullmatch=whole)
        return texts.filter(lambda text: low <= len(text) <= high)
    short = st.text(CHARACTERS, min_size=low, max_size=min(high, 20))
    extreme = st.sampled_from("a<\x01é𝄞\u2028").map(lambda character: character * min(high, 1300))
    return st.one_of(short, short, short, extreme)


def _integers(schema: Schema, _: int) -> st.SearchStrategy[Any]:
    return st.integers(schema.get("minimum", -INT64), schema.get("maximum", INT64 - 1))


def _numbers(schema: Schema, _: int) -> st.SearchStrategy[Any]:
    return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)


def _lists(schema: Schema, items: int) -> st.SearchStrategy[Any]:
    low, high = schema.get("minItems", 0), schema.get("maxItems", items)
    keys = schema.get("x-kubernetes-list-map-keys")
    unique = (lambda item: tuple(item.get(key) for key in keys)) if keys else None
    return st.lists(valid(schema["items"], items), min_size=low, max_size=max(low, min(high, items)), unique_by=unique)


def _objects(schema: Schema, items: int) -> st.SearchStrategy[Any]:
    if "additionalProperties" in schema:
        values = valid(schema["additionalProperties"], items)
        return st.dictionaries(st.text(CHARACTERS, max_size=9), values, max_size=items)
    members = {key: valid(member, items) for key, member in schema.get("properties", {}).items()}
    required = {key: members.pop(key) for key in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=members)


_VALUES: dict[str, Any] = {
    "string": _texts,
    "integer": _integers,
    "number": _numbers,
    "boolean": lambda *_: st.booleans(),
    "array": _lists,
    "object": _objects,
}
