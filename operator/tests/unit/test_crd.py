from __future__ import annotations

import json
import re
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
import yaml
from pydantic import Field

from seatrial.api.base import Model
from seatrial.api.crd import crd_files, crds
from seatrial.api.generate import run, stale_files
from seatrial.api.reference import reference, reference_files
from seatrial.api.schema import structural_schema
from tests.spec_cases import REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
CRD_FOLDER = ROOT / "charts/seatrial/files/crds"
REFERENCE = ROOT / "docs/api.md"
APPLY_LIMIT = 262_144
"""Bytes of all annotations of an object; client-side `kubectl apply` keeps a compact copy of the object in one."""

CRDS = {crd["spec"]["names"]["kind"]: crd for crd in crds()}
each_crd = pytest.mark.parametrize("crd", CRDS.values(), ids=CRDS.keys())


def version(crd: dict[str, Any]) -> dict[str, Any]:
    (only,) = crd["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def schema(crd: dict[str, Any]) -> dict[str, Any]:
    found = version(crd)["schema"]["openAPIV3Schema"]
    assert isinstance(found, dict)
    return found


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema, with its path."""
    yield path, node
    for name, member in node.get("properties", {}).items():
        yield from nodes(member, f"{path}.{name}")
    for keyword, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if keyword in node:
            yield from nodes(node[keyword], path + suffix)


def own_nodes(crd: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is ours: everything but apiVersion, kind and metadata."""
    for path, node in nodes(schema(crd)):
        if path not in {".apiVersion", ".kind", ".metadata"}:
            yield path, node


def rules(crd: dict[str, Any]) -> list[dict[str, str]]:
    return [rule for _, node in nodes(schema(crd)) for rule in node.get("x-kubernetes-validations", [])]


@each_crd
def test_is_small_enough_for_kubectl_apply(crd: dict[str, Any]) -> None:
    assert len(json.dumps(crd, separators=(",", ":")).encode()) < APPLY_LIMIT


@each_crd
def test_is_structural(crd: dict[str, Any]) -> None:
    forbidden = {"$ref", "$defs", "title", "anyOf", "oneOf", "allOf", "const", "prefixItems"}
    for path, node in nodes(schema(crd)):
        assert not forbidden & set(node), path
        assert "type" in node, path
        assert not ("properties" in node and "additionalProperties" in node), path


@each_crd
def test_everything_is_bounded(crd: dict[str, Any]) -> None:
    for path, node in own_nodes(crd):
        match node["type"]:
            case "string":
                assert "maxLength" in node or "enum" in node, path
            case "array":
                assert "maxItems" in node, path
            case "object":
                assert "properties" in node or "maxProperties" in node, path
            case "integer" | "number":
                assert "minimum" in node, path
            case kind:
                assert kind == "boolean", path


@each_crd
def test_everything_is_described(crd: dict[str, Any]) -> None:
    for path, node in own_nodes(crd):
        if path.endswith(("[]", ".*")) and node["type"] == "string":
            continue  # the list's own description says it
        assert node.get("description", "").endswith((".", ")")), path
        assert "\n" not in node["description"], path


@each_crd
def test_keys_of_lists_are_always_there(crd: dict[str, Any]) -> None:
    for path, node in nodes(schema(crd)):
        for key in node.get("x-kubernetes-list-map-keys", []):
            item = node["items"]
            assert key in item["required"] or "default" in item["properties"][key], path


@each_crd
def test_no_default_is_null(crd: dict[str, Any]) -> None:
    for path, node in nodes(schema(crd)):
        assert node.get("default", "") is not None, path


@each_crd
def test_columns_and_selectors_lead_somewhere(crd: dict[str, Any]) -> None:
    paths = {path: node["type"] for path, node in nodes(schema(crd))}
    for column in version(crd)["additionalPrinterColumns"]:
        if column["jsonPath"] != ".metadata.creationTimestamp":
            assert paths[column["jsonPath"]] == column["type"]
    for selectable in version(crd)["selectableFields"]:
        assert paths[selectable["jsonPath"]] == "string"


RESERVED_IN_CEL = (
    "as break const continue else false for function if import in let loop package namespace null return true var void "
    "while"
)


@each_crd
def test_rules_escape_reserved_words(crd: dict[str, Any]) -> None:
    """Unescaped, the bounds of such a member are not found, and its rule is refused for what it may cost."""
    for rule in rules(crd):
        assert not set(re.findall(r"\.([a-zA-Z_]+)", rule["rule"])) & set(RESERVED_IN_CEL.split()), rule


def test_every_rule_of_the_spec_has_a_case() -> None:
    crd = CRDS["TestRun"]
    messages = {
        rule["message"]
        for path, node in nodes(schema(crd))
        if path.startswith(".spec")
        for rule in node.get("x-kubernetes-validations", [])
    }
    assert messages
    for message in messages:
        assert any(message in case.message or case.message in message for case in REFUSED), message


def test_services_survive_with_nothing_after_them() -> None:
    services = schema(CRDS["TestRun"])["properties"]["spec"]["properties"]["services"]
    assert services["default"] == {}
    for name, service in services["properties"].items():
        assert service["nullable"] is True, name
        assert "default" not in service, name


def test_a_fresh_run_is_unseen() -> None:
    status = schema(CRDS["TestRun"])["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert [path for path, node in nodes(status) if "default" in node] == [""], "a fresh status says nothing else"


def test_results_are_stored_as_written() -> None:
    assert not [path for path, node in nodes(schema(CRDS["TestResultSlice"])) if "default" in node]


def test_the_repository_is_up_to_date() -> None:
    for target, files in ((CRD_FOLDER, crd_files(CRD_FOLDER)), (REFERENCE, reference_files(REFERENCE))):
        assert stale_files(target, files) == [], "run `make crd`"


def test_generated_yaml_is_the_definition(tmp_path: Path) -> None:
    files = crd_files(tmp_path)
    for crd in crds():
        text = files[tmp_path / f"{crd['metadata']['name']}.yaml"]
        assert yaml.safe_load(text) == crd
        assert "&id" not in text


def test_command_writes_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, left_over = tmp_path / "crds", tmp_path / "crds/testplans.yaml"
    edited, fine = folder / "edited.yaml", folder / "fine.yaml"

    def call(*arguments: str) -> tuple[int, list[str]]:
        status = run("generate", lambda target: {target / "edited.yaml": "a", target / "fine.yaml": "b"}, [*arguments])
        output = capsys.readouterr()
        return status, (output.out + output.err).splitlines()

    assert call(str(folder)) == (0, [f"wrote {edited}", f"wrote {fine}"])
    assert call("--check", str(folder)) == (0, [])
    edited.write_text("by hand", encoding="utf-8")
    left_over.touch()
    complaint = "{} does not follow from the models in operator/seatrial/api: run `make crd`"
    assert call("--check", str(folder)) == (1, [complaint.format(edited), complaint.format(left_over)])
    assert edited.read_text(encoding="utf-8") == "by hand"
    assert call(str(folder)) == (0, [f"wrote {edited}", f"removed {left_over}"])
    assert call("--check", str(folder)) == (0, [])


@pytest.mark.parametrize("module", ["seatrial.api.crd", "seatrial.api.reference"])
def test_commands_fail_on_what_is_not_there(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", module, "--check", str(tmp_path / "absent")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "run `make crd`" in done.stderr


class Colour(StrEnum):
    """A colour."""

    RED = "red"


class Inner(Model):
    """Inside."""

    size: int = 3
    """How big."""
    name: str = "a"
    """How called."""


class Outer(Model):
    """Outside."""

    colour: Colour
    """Which."""
    inner: Inner = Inner(size=5)
    """What is
    inside."""
    share: Annotated[float | None, Field(gt=0, lt=1)] = None
    """How much."""


def test_conversion() -> None:
    assert structural_schema(Outer) == {
        "description": "Outside.",
        "type": "object",
        "required": ["colour"],
        "properties": {
            "colour": {"description": "Which.", "type": "string", "enum": ["red"]},
            "inner": {
                "description": "What is inside.",
                "type": "object",
                "default": {"size": 5},
                "properties": {
                    "size": {"description": "How big.", "type": "integer", "format": "int64", "default": 3},
                    "name": {"description": "How called.", "type": "string", "default": "a"},
                },
            },
            "share": {
                "description": "How much.",
                "type": "number",
                "minimum": 0.0,
                "maximum": 1.0,
                "exclusiveMinimum": True,
                "exclusiveMaximum": True,
            },
        },
    }


class Choice(Model):
    """Text or a number."""

    value: int | str
    """Either."""


class Pair(Model):
    """A tuple."""

    value: tuple[int, str]
    """Both."""


class Anything(Model):
    """A map of anything."""

    value: dict[str, Any]
    """All."""


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Choice, "a CRD cannot express a choice of types"),
        (Pair, r"Pair\.value: a CRD cannot express prefixItems"),
        (Anything, r"Anything\.value: a CRD needs a type for the values of a map"),
    ],
)
def test_what_a_crd_cannot_express(model: type[Model], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        structural_schema(model)


def test_links_of_the_reference_lead_somewhere() -> None:
    text = reference()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = [re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(anchors) == len(set(anchors))
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert links
    assert set(links) <= set(anchors)


def test_reference_has_every_member() -> None:
    text = reference()
    for crd in CRDS.values():
        for path, node in own_nodes(crd):
            for name in node.get("properties", {}):
                assert not path or f"| `{name}` |" in text, f"{path}.{name}"
