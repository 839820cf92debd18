"""The TestRun that repeats another one, whole or by its failed tests. Pure."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from seatrial.cli.cases import cases
from seatrial.cli.exits import CliError
from seatrial.naming import GROUP, as_label

if TYPE_CHECKING:
    from seatrial.cli.cases import Case
    from seatrial.cli.record import RunRecord

Object = dict[str, Any]

ORIGIN_LABEL = f"{GROUP}/rerun-of"
"""The TestRun that was repeated, as a label: cut and hashed where its name is long."""
ORIGIN_ANNOTATION = f"{GROUP}/rerun-of"
"""Its name."""
ORIGIN_UID_ANNOTATION = f"{GROUP}/rerun-of-uid"
MAX_PATHS = 64
MAX_PATH_CHARACTERS = 512
"""Of spec.suites[].pytest.paths."""
_GENERATED = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}$")
_ALTERED = re.compile(r" \(run \d+\)$")
"""How the plugin tells a test that ran twice in one session."""
_MAX_ID_BYTES = 1024
"""Longer ids end in a hash: pytest does not know them."""


def again(record: RunRecord, *, failed: bool) -> tuple[Object, list[str]]:
    """A manifest, and what people should know about it. Raises CliError when there is nothing to repeat."""
    metadata = record.run["metadata"]
    annotations = metadata.get("annotations") or {}
    base = metadata["name"]
    if ORIGIN_ANNOTATION in annotations:
        base = _GENERATED.sub("", base)
    spec = copy.deepcopy(record.run["spec"])
    spec.pop("cancel", None)
    spec.pop("suspend", None)
    notes: list[str] = []
    if failed:
        spec["suites"], notes = _failed_suites(record, spec["suites"])
        if not spec["suites"]:
            raise CliError(
                f"nothing failed in {record.name}: there is nothing to repeat; seatrial rerun {record.name} repeats all"
            )
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != ORIGIN_LABEL}
    manifest = {
        "apiVersion": record.run["apiVersion"],
        "kind": "TestRun",
        "metadata": {
            "generateName": f"{base}-",
            "namespace": metadata["namespace"],
            "labels": {**labels, ORIGIN_LABEL: as_label(metadata["name"])},
            "annotations": {ORIGIN_ANNOTATION: metadata["name"], ORIGIN_UID_ANNOTATION: metadata["uid"]},
        },
        "spec": spec,
    }
    return manifest, notes


def _failed_suites(record: RunRecord, suites: list[Object]) -> tuple[list[Object], list[str]]:
    states = {suite["name"]: suite["state"] for suite in record.status.get("suites") or ()}
    found = cases(record)
    chosen, notes = [], []
    for suite in suites:
        name = suite["name"]
        bad = [case for case in found if case.suite == name and case.bad]
        state = states.get(name, "Pending")
        if state == "Passed" and not bad:
            continue
        if state != "Failed" or not bad:
            notes.append(f"suite {name} ended as {state}, not all of its tests have an outcome: it is repeated whole")
            chosen.append(suite)
        elif suite.get("junit"):
            notes.append(f"suite {name} is not pytest: it is repeated whole")
            chosen.append(suite)
        else:
            paths, note = paths_of(bad)
            notes += [f"suite {name}: {note}"] if note else []
            shards = min(suite.get("shards", 1), len(paths))
            chosen.append(_with_paths(suite, paths, shards) if paths else suite)
    return chosen, notes


def _with_paths(suite: Object, paths: list[str], shards: int) -> Object:
    return {**suite, "pytest": {**(suite.get("pytest") or {}), "paths": paths}, "shards": shards}


def paths_of(bad: list[Case]) -> tuple[list[str], str]:
    """What pytest is to run for some tests: node ids, else their files; and a note when that is more than them."""
    ids = list(dict.fromkeys(_path(case) for case in bad))
    altered = any(path != case.id for path, case in zip(map(_path, bad), bad, strict=True))
    if len(ids) <= MAX_PATHS and all(len(path) <= MAX_PATH_CHARACTERS for path in ids):
        return (
            ids,
            "tests whose node ids cannot be given to pytest are repeated with their whole file" if altered else "",
        )
    files = list(dict.fromkeys(case.id.partition("::")[0] for case in bad))
    if len(files) <= MAX_PATHS and all(0 < len(path) <= MAX_PATH_CHARACTERS for path in files):
        return (
            files,
            f"{len(bad)} failed tests are more than a spec can name: their {len(files)} files are repeated whole",
        )
    return [], f"{len(bad)} failed tests in {len(files)} files are more than a spec can name: it is repeated whole"


def _path(case: Case) -> str:
    file = case.id.partition("::")[0]
    if len(case.id.encode()) >= _MAX_ID_BYTES or len(case.id) > MAX_PATH_CHARACTERS:
        return file
    return _ALTERED.sub("", case.id)
