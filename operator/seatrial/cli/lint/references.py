"""What objects say about each other: ConfigMaps and Secrets that a TestRun names, and objects that are there twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seatrial.cli.lint.objects import CONFIG_MAP, SECRET, TEST_RUN
from seatrial.cli.suggest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seatrial.cli.manifest import Manifest, Problem
    from seatrial.cli.nodes import Path

_KINDS = {"configMapRef": CONFIG_MAP, "configMapKeyRef": CONFIG_MAP, "secretKeyRef": SECRET}


def check_references(manifests: Sequence[Manifest]) -> list[Problem]:
    """Names that lead nowhere among the objects that were given, and objects of the same name."""
    problems = []
    known: dict[tuple[str, str], Manifest] = {}
    for manifest in manifests:
        if manifest.kind not in {TEST_RUN, CONFIG_MAP, SECRET} or not manifest.name:
            continue
        key = (manifest.kind, manifest.name)
        first = known.setdefault(key, manifest)
        same_namespace = _namespace(first) == _namespace(manifest)
        if first is not manifest and same_namespace:
            place = f"{first.source}:{first.line_of(('metadata', 'name'))}"
            problems.append(
                manifest.problem(
                    ("metadata", "name"), f"there is another {key[0]} {key[1]} in {place}: keep one, or rename it"
                )
            )
    for manifest in manifests:
        if manifest.kind == TEST_RUN:
            for path, kind, reference in references(manifest.body.get("spec"), ("spec",)):
                problems += _check(manifest, path, kind, reference, known)
    return problems


def _namespace(manifest: Manifest) -> Any:
    metadata = manifest.body.get("metadata")
    return metadata.get("namespace") if isinstance(metadata, dict) else None


def references(value: Any, path: Path) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """The ConfigMaps and Secrets that a part of a spec names: where, which kind, and the reference. Pure."""
    if isinstance(value, dict):
        for name, member in value.items():
            here = (*path, name)
            if name in _KINDS and isinstance(member, dict) and isinstance(member.get("name"), str):
                yield here, _KINDS[name], member
            else:
                yield from references(member, here)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from references(member, (*path, index))


def _check(
    manifest: Manifest, path: Path, kind: str, reference: dict[str, Any], known: dict[tuple[str, str], Manifest]
) -> list[Problem]:
    name = reference["name"]
    found = known.get((kind, name))
    if found is None:
        guess = nearest(name, [other for other_kind, other in known if other_kind == kind])
        meant = f"; did you mean {guess}?" if guess else ": it must be in the TestRun's namespace when the run starts"
        return [manifest.problem((*path, "name"), f"no {kind} {name} is among these files{meant}", severity="warning")]
    key = reference.get("key")
    keys = [item for member in ("data", "stringData", "binaryData") for item in _keys(found.body.get(member))]
    if isinstance(key, str) and key not in keys:
        guess = nearest(key, keys)
        meant = f"; did you mean {guess}?" if guess else f"; it has {', '.join(sorted(keys)[:12]) or 'none'}"
        return [manifest.problem((*path, "key"), f"{kind} {name} has no key {key}{meant}", severity="warning")]
    return []


def _keys(data: Any) -> list[str]:
    return list(data) if isinstance(data, dict) else []
