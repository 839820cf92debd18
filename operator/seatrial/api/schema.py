"""From a pydantic model to a structural schema, the part of OpenAPI that the API server accepts in a CRD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT = (
    "description",
    "type",
    "format",
    "nullable",
    "default",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "items",
    "additionalProperties",
    "required",
    "properties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
)
"""Keywords that both sides know, in the order in which they are written."""

_DROPPED = ("$defs", "title")


def json_schema(model: type[BaseModel]) -> Schema:
    """JSON schema of a model with the names of the wire, definitions in `$defs`."""
    return model.model_json_schema(by_alias=True, mode="validation")


def structural_schema(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """Structural schema of a model.

    Without `defaults` the API server adds nothing to stored objects: right for what programs write, where absent
    members mean the model's own defaults. Raises ValueError for a construct that a CRD cannot express.
    """
    source = json_schema(model)
    return _Converter(source.get("$defs", {}), defaults=defaults).convert(source, model.__name__)


def resolve(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """Replace a `$ref`, and the `anyOf` of an optional field, by what they stand for; own members come first."""
    schema = dict(schema)
    if "anyOf" in schema:
        # An optional member is one that may be missing; whether null is kept is said with `nullable` alone.
        options = [option for option in schema.pop("anyOf") if option != {"type": "null"}]
        if len(options) != 1:
            raise ValueError(f"a CRD cannot express a choice of types: {options}")
        schema = options[0] | schema
    if "$ref" in schema:
        name = schema.pop("$ref").rsplit("/", 1)[-1]
        schema = resolve(definitions[name], definitions) | schema
    return schema


def words(text: str) -> str:
    """Text of a docstring as one line."""
    return " ".join(text.split())


class _Converter:
    def __init__(self, definitions: dict[str, Schema], *, defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def convert(self, source: Schema, path: str) -> Schema:
        schema = {key: value for key, value in resolve(source, self._definitions).items() if key not in _DROPPED}
        unknown = sorted(set(schema) - set(_KEPT))
        if unknown:
            raise ValueError(f"{path}: a CRD cannot express {', '.join(unknown)}")
        if "description" in schema:
            schema["description"] = words(schema["description"])
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if exclusive in schema:  # a number in JSON schema, a flag in OpenAPI 3.0
                schema |= {bound: schema[exclusive], exclusive: True}
        if schema.get("type") == "integer":
            schema["format"] = "int64"
        if schema.get("type") == "object":
            self._convert_object(schema, path)
        if "items" in schema:
            schema["items"] = self.convert(schema["items"], f"{path}[]")
        self._convert_default(schema)
        return {key: schema[key] for key in _KEPT if key in schema}

    def _convert_object(self, schema: Schema, path: str) -> None:
        additional = schema.pop("additionalProperties", False)
        if "properties" in schema:
            schema["properties"] = {
                name: self.convert(member, f"{path}.{name}") for name, member in schema["properties"].items()
            }
        elif isinstance(additional, dict):
            schema["additionalProperties"] = self.convert(additional, f"{path}.*")
        elif additional:
            raise ValueError(f"{path}: a CRD needs a type for the values of a map")

    def _convert_default(self, schema: Schema) -> None:
        default = schema.pop("default", None)
        if default is not None and self._defaults:
            schema["default"] = _without_nested_defaults(default, schema)


def _without_nested_defaults(default: Any, schema: Schema) -> Any:
    """What a default adds to the defaults of its members, which the API server fills in by itself."""
    if not isinstance(default, dict) or "properties" not in schema:
        return default
    kept = {}
    for name, value in default.items():
        member = schema["properties"][name]
        shorter = _without_nested_defaults(value, member)
        if value is not None and shorter != member.get("default"):
            kept[name] = shorter
    return kept
