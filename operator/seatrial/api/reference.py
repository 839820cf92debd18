"""The API reference, in Markdown, from the models: `python -m seatrial.api.reference [--check] FILE`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from seatrial.api import API_VERSION, GROUP
from seatrial.api.crd import KINDS, Kind
from seatrial.api.generate import HEADER, Files, run
from seatrial.api.schema import Schema, json_schema, resolve, words

if TYPE_CHECKING:
    from pathlib import Path

_INTRODUCTION = f"""\
# API reference

<!-- {HEADER} -->

`{API_VERSION}`. The API server checks every type, bound, pattern and rule below when an object is written, and the
operator checks the same once more. In a spec, null (`key:` with nothing after it) means that the
member is absent, but for the services: there it means the service with its defaults. Write `redis: {{}}` all the same:
client-side `kubectl apply` removes nulls before it sends an object, and such a run is refused.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(_kind(kind) for kind in KINDS)]).rstrip() + "\n"


def _kind(kind: Kind) -> str:
    facts = [
        f"Plural `{kind.plural}.{GROUP}`, short name `{kind.short_name}`, category `seatrial`.",
        f"Columns of `kubectl get`: {_columns(kind, 0)}.",
    ]
    if _columns(kind, 1):
        facts.append(f"With `-o wide` also: {_columns(kind, 1)}.")
    selectable = ", ".join(f"`{path.removeprefix('.')}`" for path in kind.selectable)
    facts.append(f"Field selectors: {selectable}.")
    parts = [f"## {kind.kind}\n", f"{words(kind.description)}\n", " ".join(facts) + "\n"]
    if kind.rules:
        parts.append("Rules:\n\n" + _bullets(kind.rules))
    parts.append(_model(json_schema(kind.spec), "spec"))
    if kind.status:
        parts.append(_model(json_schema(kind.status), "status"))
    return "\n".join(parts)


def _columns(kind: Kind, priority: int) -> str:
    return ", ".join(column["name"] for column in kind.columns if column["priority"] == priority)


def _model(schema: Schema, member: str) -> str:
    definitions = schema.get("$defs", {})
    reached = [name for name in _reached(schema, definitions) if "properties" in definitions[name]]
    sections = [_section(schema["title"], schema, definitions, f" (`{member}`)")]
    sections += [_section(name, definitions[name], definitions) for name in reached]
    return "\n".join(sections)


def _reached(schema: Schema, definitions: dict[str, Schema]) -> list[str]:
    """Names of the definitions that a schema leads to, each once, in the order of reading."""
    names: list[str] = []

    def visit(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                visit(item)
        if not isinstance(node, dict):
            return
        name = str(node.get("$ref", "")).rsplit("/", 1)[-1]
        if name and name not in names:
            names.append(name)
            visit(definitions[name])
        for key, value in node.items():
            if key != "$defs":
                visit(value)

    visit(schema)
    return names


def _section(name: str, schema: Schema, definitions: dict[str, Schema], suffix: str = "") -> str:
    lines = [f"### {name}{suffix}\n", f"{words(schema['description'])}\n"]
    lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
    required = schema.get("required", [])
    for field, source in schema["properties"].items():
        member = resolve(source, definitions)
        default = "**required**" if field in required else _default(source, member)
        meaning = words(member.get("description", ""))
        bounds = _bounds(member)
        if bounds:
            meaning += f" *{bounds[0].upper()}{bounds[1:]}.*"
        lines.append(f"| `{field}` | {_type(source, definitions)} | {default} | {_cell(meaning)} |")
    rules = [*schema.get("x-kubernetes-validations", []), *_field_rules(schema, definitions)]
    if rules:
        lines += ["", "Rules:", "", _bullets(tuple(rules)).rstrip()]
    return "\n".join(lines) + "\n"


def _field_rules(schema: Schema, definitions: dict[str, Schema]) -> list[dict[str, str]]:
    """Rules that stand at fields which are no models of their own, such as those of durations."""
    rules = []
    for source in schema["properties"].values():
        member = resolve(source, definitions)
        if "properties" not in member:
            rules += member.get("x-kubernetes-validations", [])
    return rules


def _bullets(rules: tuple[dict[str, str], ...]) -> str:
    messages = dict.fromkeys(_rule(rule) for rule in rules)
    return "".join(f"- {message}\n" for message in messages)


def _rule(rule: dict[str, str]) -> str:
    subject = f"`{rule['fieldPath'].removeprefix('.')}` " if "fieldPath" in rule else ""
    return subject + rule["message"]


def _type(source: Schema, definitions: dict[str, Schema]) -> str:
    for option in (source, *source.get("anyOf", [])):
        name = str(option.get("$ref", "")).rsplit("/", 1)[-1]
        if name and "properties" in definitions[name]:
            return f"[{name}](#{_anchor(name)})"
    member = resolve(source, definitions)
    if member["type"] == "array":
        return f"list of {_type(member['items'], definitions)}"
    if member["type"] == "object":
        return f"map of {_type(member['additionalProperties'], definitions)}"
    return str(member["type"])


def _anchor(name: str) -> str:
    members = {kind.spec.__name__: "spec" for kind in KINDS}
    members |= {kind.status.__name__: "status" for kind in KINDS if kind.status}
    return f"{name}-{members[name]}".lower() if name in members else name.lower()


def _default(source: Schema, member: Schema) -> str:
    default = source.get("default")
    if default is None or "properties" in member:
        return ""
    return f"`{json.dumps(default)}`"


def _bounds(member: Schema) -> str:
    parts = []
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " entries"),
    ):
        least, most = member.get(low), member.get(high)
        if most is not None:
            parts.append(f"{least} to {most}{unit}" if least else f"at most {most}{unit}")
        elif least is not None:
            parts.append(f"at least {least}{unit}")
    if "pattern" in member:
        parts.append(f"matches `{member['pattern']}`")
    if "enum" in member:
        parts.append("one of " + ", ".join(f"`{value}`" for value in member["enum"]))
    parts.extend(f"each `{key}` once" for key in member.get("x-kubernetes-list-map-keys", []))
    return ", ".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def reference_files(path: Path) -> Files:
    """The file of the reference: path -> text."""
    return {path: reference()}


if __name__ == "__main__":
    sys.exit(run("seatrial.api.reference", reference_files))
