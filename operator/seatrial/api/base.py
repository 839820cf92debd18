"""What all API models share: camelCase on the wire, frozen in memory, docstrings that become descriptions."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel


def cel(rule: str, message: str, **more: str) -> dict[str, str]:
    """One entry of `x-kubernetes-validations`.

    `more`: `messageExpression` (CEL that yields a message with the value in it), `fieldPath` (the member that the error
    is about) and `reason` (of the API conventions, such as FieldValueForbidden).
    """
    return {"rule": rule, "message": message} | more


def unchanged(path: str) -> str:
    """CEL for: a member is as it was, or absent as it was. (Optionals, `?.`, would cost more than a CRD may.)"""
    now, before = f"self.{path}", f"oldSelf.{path}"
    return f"(has({now}) == has({before}) && (!has({now}) || {now} == {before}))"


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


class SpecModel(Model):
    """Base of what people write. Reads it as the API server does: no conversion of types, and null means absent."""

    model_config = ConfigDict(strict=True)

    null_means_empty: ClassVar[bool] = False
    """Whether `key:` with nothing after it means `key: {}`; such fields are nullable in the schema."""

    @model_validator(mode="before")
    @classmethod
    def _nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if cls.null_means_empty:
            return {key: {} if value is None else value for key, value in data.items()}
        return {key: value for key, value in data.items() if value is not None}


_DURATION = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
DURATION_PATTERN = r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"


def parse_duration(text: str) -> timedelta:
    """Parse a duration such as `1h30m` or `45s`. Raises ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{text!r} is not a duration: write hours, minutes and seconds, such as 1h30m or 45s")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


Duration = Annotated[str, Field(min_length=2, max_length=20, pattern=DURATION_PATTERN)]
"""Hours, minutes and seconds, such as 1h30m or 45s."""

DnsLabel = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
"""A name that is a DNS label (RFC 1035) and leaves room for a prefix."""

ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
]
"""The name of a Kubernetes object (RFC 1123 subdomain)."""

Image = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[!-~]+$")]
"""A container image reference: printable ASCII without spaces, which every regular expression engine agrees on."""

ShortText = Annotated[str, Field(max_length=1024)]

Arguments = Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)]


def _unique_names(items: list[Any]) -> list[Any]:
    names = [item.name for item in items]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the name {twice!r} is there more than once")
    return items


UniqueNames = AfterValidator(_unique_names)
"""The local counterpart of `map_list()`."""
