"""Manifests as objects to apply."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import yaml

from seatrial.api import API_VERSION
from seatrial.cli.exits import CliError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Object = dict[str, Any]

KINDS = {
    ("v1", "ConfigMap"): 0,
    ("v1", "Secret"): 0,
    (API_VERSION, "TestRun"): 1,
}
"""What is applied, and in which order: a TestRun needs the others."""
STDIN = "-"


def read_objects(paths: Sequence[Path]) -> list[Object]:
    """The objects of some files, TestRuns last; `-` is standard input. Raises CliError that names file and document."""
    found = [item for path in paths for item in _read(path)]
    if not any(item["kind"] == "TestRun" for item in found):
        raise CliError(f"there is no TestRun in {', '.join(map(str, paths))}", Exit.USAGE)
    return sorted(found, key=lambda item: KINDS[item["apiVersion"], item["kind"]])


def _read(path: Path) -> Iterable[Object]:
    try:
        text = sys.stdin.read() if str(path) == STDIN else path.read_text()
        documents = list(yaml.safe_load_all(text))
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror or error}", Exit.USAGE) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)
        raise CliError(f"{place} is not YAML: {getattr(error, 'problem', None) or error}", Exit.USAGE) from None
    for number, document in enumerate(documents, 1):
        if document is not None:
            yield _checked(document, f"{path}, document {number}")


def _checked(item: Any, place: str) -> Object:
    if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
        raise CliError(f"{place}: this is no Kubernetes object: it has no metadata", Exit.USAGE)
    kind = (str(item.get("apiVersion", "")), str(item.get("kind", "")))
    if kind not in KINDS:
        known = ", ".join(f"{name} ({version})" for version, name in KINDS)
        raise CliError(
            f"{place}: {kind[1] or 'an object without kind'} ({kind[0] or 'no apiVersion'}) is not applied by "
            f"seatrial, only {known}; apply it with kubectl first",
            Exit.USAGE,
        )
    metadata = item["metadata"]
    if not (metadata.get("name") or (metadata.get("generateName") and kind[1] == "TestRun")):
        raise CliError(f"{place}: {kind[1]} has no metadata.name", Exit.USAGE)
    return item
