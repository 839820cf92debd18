"""The CustomResourceDefinitions, built from the models: `python -m seatrial.api.crd [--check] FOLDER`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from seatrial.api import GROUP, VERSION
from seatrial.api.generate import HEADER, Files, run
from seatrial.api.results import TestResultSlice, TestResultSliceSpec
from seatrial.api.schema import Schema, structural_schema
from seatrial.api.spec import FROZEN_SPEC_RULES, TestRunSpec
from seatrial.api.status import TestRunStatus

if TYPE_CHECKING:
    from pathlib import Path

    from seatrial.api.base import Model

UNSEEN_STATUS = {"observedGeneration": -1}
"""Status of a run that no operator has seen: tools that compare generations do not take it for finished."""

Column = dict[str, Any]


def _column(name: str, path: str, kind: str, description: str, *, wide: bool = False) -> Column:
    return {
        "name": name,
        "type": kind,
        "jsonPath": path,
        "description": description,
        "priority": 1 if wide else 0,
    }


_AGE = _column("AGE", ".metadata.creationTimestamp", "date", "Since its creation.")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a CRD says beside its schema."""

    kind: str
    plural: str
    short_name: str
    description: str
    spec: type[Model]
    spec_defaults: bool
    status: type[Model] | None
    rules: tuple[dict[str, str], ...]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...]


KINDS = (
    Kind(
        kind="TestRun",
        plural="testruns",
        short_name="trun",
        description=TestRunSpec.__doc__ or "",
        spec=TestRunSpec,
        spec_defaults=True,
        status=TestRunStatus,
        rules=tuple(FROZEN_SPEC_RULES),
        columns=(
            _column("PHASE", ".status.phase", "string", "The run in one word."),
            _column("PASSED", ".status.passed", "string", "Passed and collected tests."),
            _column("FAILED", ".status.summary.failed", "integer", "Tests that failed."),
            _column("FLAKY", ".status.summary.flaky", "integer", "Tests that passed after a failed attempt."),
            _column("DURATION", ".status.duration", "string", "How long the run took."),
            _AGE,
            _column("REASON", ".status.reason", "string", "Why, in one word.", wide=True),
            _column("ENVIRONMENT", ".status.environment", "string", "Ready and wanted components.", wide=True),
            _column("MESSAGE", ".status.message", "string", "Why, for people.", wide=True),
        ),
        selectable=(".status.phase",),
    ),
    Kind(
        kind="TestResultSlice",
        plural="testresultslices",
        short_name="tslice",
        description=TestResultSlice.__doc__ or "",
        spec=TestResultSliceSpec,
        spec_defaults=False,
        status=None,
        rules=(),
        columns=(
            _column("RUN", ".spec.run", "string", "Name of the TestRun."),
            _column("SUITE", ".spec.suite", "string", "Name of the suite."),
            _column("SHARD", ".spec.shard", "integer", "Number of the shard, from 0."),
            _column("FIRST", ".spec.firstSequence", "integer", "Sequence number of its first record."),
            _column("LAST", ".spec.lastSequence", "integer", "Sequence number of its last record."),
            _AGE,
        ),
        selectable=(".spec.run", ".spec.suite"),
    ),
)


def crd(kind: Kind, group: str = GROUP) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind, as a plain object."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": list(kind.columns),
        "selectableFields": [{"jsonPath": path} for path in kind.selectable],
        "schema": {"openAPIV3Schema": _root(kind)},
    }
    if kind.status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{group}"},
        "spec": {
            "group": group,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short_name],
                "categories": ["seatrial"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def crds(group: str = GROUP) -> list[dict[str, Any]]:
    """All CustomResourceDefinitions; another `group` gives a set that does not touch the installed one."""
    return [crd(kind, group) for kind in KINDS]


def _root(kind: Kind) -> Schema:
    schema: Schema = {
        "description": kind.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": "Group and version of the API.", "type": "string"},
            "kind": {"description": "Name of the kind.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec, defaults=kind.spec_defaults),
        },
    }
    if kind.status:
        schema["properties"]["status"] = structural_schema(kind.status, defaults=False) | {"default": UNSEEN_STATUS}
    if kind.rules:
        schema["x-kubernetes-validations"] = list(kind.rules)
    return schema


class _Dumper(yaml.SafeDumper):
    """Repeats what occurs twice instead of writing anchors, which are hard to read in a schema."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def crd_files(folder: Path) -> Files:
    """The files of the CRDs, which `kubectl apply` takes as they are: path -> text."""
    return {
        folder / f"{definition['metadata']['name']}.yaml": f"# {HEADER}\n"
        + yaml.dump(definition, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
        for definition in crds()
    }


if __name__ == "__main__":
    sys.exit(run("seatrial.api.crd", crd_files))
