"""What tenants, and whoever else may write there, can put before the operator."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from seatrial.records import OUTCOMES, dump_object
from tests.property.openapi import CHARACTERS, INT64

Object = dict[str, Any]

TEXT = st.text(CHARACTERS, max_size=20)
API_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INT64, INT64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
"""Any JSON that an API server can hold."""
RAW_TEXT = st.text(st.characters() | st.sampled_from("\0\ud800\u2028"), max_size=20)
RAW_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | RAW_TEXT
    | st.sampled_from([10**400, -(10**400), 2**63, -1, 1e308, float("inf"), float("nan")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(RAW_TEXT, inner, max_size=3),
    max_leaves=6,
)
"""Any JSON that Python's reader takes: lone surrogates, NaN, Infinity and numbers of any size too."""


@st.composite
def damaged(draw: st.DrawFn, values: st.SearchStrategy[Any], instead: st.SearchStrategy[Any] = API_JSON) -> Any:
    """A value of which up to three parts are something else."""
    value = draw(values)
    places = list(_places(value))
    for _ in range(draw(st.integers(1, 3)) if places else 0):
        container, key = draw(st.sampled_from(places))
        container[key] = draw(instead)
    return value


def _places(value: Any) -> Any:
    """(container, key) of every part of a value."""
    members: Any = ()
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    for key, inner in members:
        yield value, key
        yield from _places(inner)


KINDS = ("start", "gate", "collected", "collectError", "collectSkip", "test", "finish", "end", "junitError", "garbage")
RECORD_OBJECTS: st.SearchStrategy[Object] = st.fixed_dictionaries(
    {"t": st.sampled_from(KINDS) | RAW_JSON},
    optional={
        "id": RAW_TEXT | RAW_JSON,
        "o": st.sampled_from(OUTCOMES) | RAW_JSON,
        "final": st.booleans() | RAW_JSON,
        "n": st.integers(0, 9) | RAW_JSON,
        "total": st.integers(0, 9) | RAW_JSON,
        "digest": RAW_TEXT | RAW_JSON,
        "rc": st.none() | st.integers(0, 9) | RAW_JSON,
        "at": st.floats(0, 1e12) | RAW_JSON,
    }
    | dict.fromkeys(("a", "d", "m", "l", "x", "signal", "timeout", "oom", "stderr", "reason", "message"), RAW_JSON),
)
"""Records as a suite can write them: the right members with anything in them."""


@st.composite
def json_lines(draw: st.DrawFn, objects: st.SearchStrategy[Object]) -> bytes:
    """An object as somebody else's JSON: raw or escaped, with members twice, in another encoding, cut off."""
    value = draw(objects)
    raw = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    twice = raw[:-1] + b"," + raw[1:] if len(raw) > 2 else raw
    encoded = json.dumps(value).encode(draw(st.sampled_from(["utf-16", "utf-32", "utf-8-sig"])))
    cut = raw[: draw(st.integers(0, len(raw)))]
    return draw(st.sampled_from([dump_object(value), raw, twice, encoded, cut]))
