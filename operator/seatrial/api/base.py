"""What all API models share: camelCase on the wire, frozen in memory, docstrings that become descriptions."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


def cel(rule: str, message: str) -> dict[str, str]:
    """One entry of `x-kubernetes-validations`."""
    return {"rule": rule, "message": message}


def cel_rules(*rules: dict[str, str], **more: Any) -> dict[str, Any]:
    """Schema extension that carries CEL rules of a model or field, and other `x-kubernetes-*` members."""
    return {"x-kubernetes-validations": list(rules), **more}


def map_list(key: str = "name") -> dict[str, Any]:
    """Mark a list as a map by `key`: the API server refuses duplicates and server-side apply merges by it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


class Model(BaseModel):
    """Base of every API model."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
DURATION_PATTERN = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"


def parse_duration(text: str) -> timedelta:
    """Parse a duration such as `1h30m` or `45s`. Raises ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{text!r} is not a duration: write hours, minutes and seconds, such as 1h30m or 45s")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _check_duration(text: str) -> str:
    parse_duration(text)
    return text


Duration = Annotated[str, Field(min_length=2, max_length=20, pattern=DURATION_PATTERN), AfterValidator(_check_duration)]
"""Hours, minutes and seconds, such as 1h30m or 45s."""

DnsLabel = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
"""A name that is a DNS label (RFC 1035) and leaves room for a prefix."""

ObjectName = Annotated[
    str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
]
"""The name of a Kubernetes object (RFC 1123 subdomain)."""

Image = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^\S+$")]
"""A container image reference."""

ShortText = Annotated[str, Field(max_length=1024)]
