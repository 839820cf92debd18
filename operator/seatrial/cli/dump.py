"""Manifests as YAML that people go on writing: in order, texts of several lines as blocks, short things on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT = 100


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    block = "\n" in value and not any(line != line.rstrip() for line in value.split("\n")) and value.isascii()
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if block and "\t" not in value else None)


def _mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.MappingNode:
    """A mapping of short scalars, such as an environment variable, goes on one line."""
    plain = all(isinstance(item, str | int | bool) and "\n" not in str(item) for item in value.values())
    short = plain and sum(len(str(key)) + len(str(item)) + 4 for key, item in value.items()) < _SHORT
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=short and "name" in value)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(dict, _mapping)


def dump_documents(documents: Sequence[dict[str, Any]], head: str = "") -> str:
    """Documents as one YAML text; `head` is a comment above them."""
    texts = [yaml.dump(item, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True) for item in documents]
    return (f"{head}\n" if head else "") + "---\n".join(texts)
