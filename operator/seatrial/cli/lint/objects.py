"""What the API server asks of every object: apiVersion, kind, metadata, and the data of ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from seatrial.api import API_VERSION, GROUP
from seatrial.cli.suggest import did_you_mean, nearest
from seatrial.naming import READ_SECRETS_ROLE

if TYPE_CHECKING:
    from seatrial.cli.manifest import Manifest, Problem

TEST_RUN = "TestRun"
CONFIG_MAP = "ConfigMap"
SECRET = "Secret"  # noqa: S105  (a kind, not a secret)
_API_VERSIONS = {TEST_RUN: API_VERSION, CONFIG_MAP: "v1", SECRET: "v1"}
_MEMBERS = {
    TEST_RUN: ("apiVersion", "kind", "metadata", "spec", "status"),
    CONFIG_MAP: ("apiVersion", "kind", "metadata", "data", "binaryData", "immutable"),
    SECRET: ("apiVersion", "kind", "metadata", "data", "stringData", "immutable", "type"),
}
_METADATA = (
    "annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generateName",
    "generation", "labels", "managedFields", "name", "namespace", "ownerReferences", "resourceVersion", "selfLink",
    "uid",
)  # fmt: skip
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
MAX_NAME = 253
_MAX_LABEL = 63
_MAX_DATA_BYTES = 1024 * 1024
_NAME_WORDS = "lower-case letters, digits, dashes and dots, a letter or digit first and last"


def check_object(manifest: Manifest) -> list[Problem]:
    """Problems of everything but a TestRun's spec."""
    if _is_grant(manifest.body):
        return []
    wrong = _check_kind(manifest)
    if wrong is not None:
        return [wrong]
    problems = [
        manifest.problem((name,), f"is an unknown field{did_you_mean(name, _MEMBERS[manifest.kind])}")
        for name in manifest.body
        if name not in _MEMBERS[manifest.kind]
    ]
    problems += _check_metadata(manifest)
    if manifest.kind in {CONFIG_MAP, SECRET}:
        problems += _check_data(manifest)
    return problems


def _check_kind(manifest: Manifest) -> Problem | None:
    """What keeps an object from being looked at any further: another kind, or none that can be told."""
    kind, version = manifest.body.get("kind"), manifest.body.get("apiVersion")
    for name, value in (("apiVersion", version), ("kind", kind)):
        if value is None or value == "":
            expected = f"{API_VERSION} for a TestRun" if name == "apiVersion" else ", ".join(_API_VERSIONS)
            return manifest.problem((name,), f"is required; expected {expected}")
        if not isinstance(value, str):
            return manifest.problem((name,), f"must be a string, not {value!r}")
    if kind in _API_VERSIONS:
        expected = _API_VERSIONS[kind]
        if version == expected:
            return None
        return manifest.problem(("apiVersion",), f"{_short(version)} is not the API of a {kind}; expected {expected}")
    guess = nearest(str(kind), _API_VERSIONS)
    ours = str(version).split("/", maxsplit=1)[0] == GROUP
    if ours or (guess is not None and version in {_API_VERSIONS[guess], ""}):
        meant = TEST_RUN if ours else guess
        return manifest.problem(("kind",), f"{_short(kind)} is no kind of {version}; did you mean {meant}?")
    return manifest.problem(
        ("kind",), f"a {_short(kind)} is not checked, and `seatrial run` leaves it out", severity="warning"
    )


def _is_grant(body: dict[str, Any]) -> bool:
    """Whether it lets the operator read the Secrets that a run names: a part of such a run, and not needed here."""
    role = body.get("roleRef")
    return body.get("kind") == "RoleBinding" and isinstance(role, dict) and role.get("name") == READ_SECRETS_ROLE


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_LABEL else f"{text[:_MAX_LABEL]}..."


def _check_metadata(manifest: Manifest) -> list[Problem]:
    metadata = manifest.body.get("metadata")
    if not isinstance(metadata, dict):
        what = "is required" if metadata is None else "must be an object"
        return [manifest.problem(("metadata",), f"{what}; write at least `metadata: {{name: ...}}`")]
    problems = [
        manifest.problem(("metadata", name), f"is an unknown field{did_you_mean(name, _METADATA)}")
        for name in metadata
        if name not in _METADATA
    ]
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if not name and not (prefix and manifest.kind == TEST_RUN):
        problems.append(manifest.problem(("metadata", "name"), f"is required; allowed: {_NAME_WORDS}"))
    for key, value, pattern, words, limit in (
        ("name", name, _NAME, _NAME_WORDS, MAX_NAME),
        ("namespace", metadata.get("namespace"), _LABEL, "lower-case letters, digits and dashes", _MAX_LABEL),
    ):
        if not value:
            continue
        if not isinstance(value, str):
            problems.append(
                manifest.problem(("metadata", key), f"must be a string, not {_short(value)}: put it in quotes")
            )
        elif not pattern.fullmatch(value):
            problems.append(manifest.problem(("metadata", key), f"{_short(value)} is not allowed; allowed: {words}"))
        elif len(value) > limit:
            problems.append(manifest.problem(("metadata", key), f"has {len(value)} characters; allowed: {limit}"))
    return problems + _check_texts(manifest, metadata, "labels") + _check_texts(manifest, metadata, "annotations")


def _check_texts(manifest: Manifest, metadata: dict[str, Any], member: str) -> list[Problem]:
    texts = metadata.get(member)
    if texts is None:
        return []
    if not isinstance(texts, dict):
        return [manifest.problem(("metadata", member), "must be an object of texts")]
    problems = []
    for key, value in texts.items():
        path = ("metadata", member, key)
        if not isinstance(value, str):
            problems.append(manifest.problem(path, f"must be a string, not {_short(value)}: put it in quotes"))
        elif member == "labels" and (len(value) > _MAX_LABEL or not _LABEL_VALUE.fullmatch(value)):
            words = f"at most {_MAX_LABEL} letters, digits, dashes, underscores and dots"
            problems.append(manifest.problem(path, f"{_short(value)} is not allowed; allowed: {words}"))
    return problems


def _check_data(manifest: Manifest) -> list[Problem]:
    """The data of a ConfigMap or Secret: texts under keys that can be file names, within what etcd takes."""
    problems: list[Problem] = []
    size = 0
    for member in ("data", "stringData", "binaryData"):
        data = manifest.body.get(member)
        if data is None or member not in _MEMBERS[manifest.kind]:
            continue
        if not isinstance(data, dict):
            problems.append(manifest.problem((member,), "must be an object of texts: each key is a file"))
            continue
        encoded = member == "binaryData" or (manifest.kind == SECRET and member == "data")
        for key, value in data.items():
            path = (member, key)
            if len(key) > MAX_NAME or not _DATA_KEY.fullmatch(key) or key in {".", ".."}:
                words = f"at most {MAX_NAME} letters, digits, dashes, underscores and dots"
                problems.append(manifest.problem(path, f"is no key; allowed: {words}"))
            if value is not None and not isinstance(value, str):
                problems.append(manifest.problem(path, f"must be a string, not {_short(value)}: put it in quotes"))
            elif encoded and not _is_base64(value or ""):
                hint = ": write plain text under stringData" if manifest.kind == SECRET else ""
                problems.append(manifest.problem(path, f"is not base64{hint}"))
            size += len((value or "").encode(errors="surrogatepass")) if isinstance(value, str | None) else 0
    if size > _MAX_DATA_BYTES:
        problems.append(manifest.problem(("data",), f"holds {size} bytes; allowed: {_MAX_DATA_BYTES}"))
    return problems


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
