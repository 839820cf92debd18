"""Names of runs, suites and copies are names and labels that Kubernetes takes, different and for ever the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial.api import parse_spec
from seatrial.errors import SpecError
from seatrial.naming import (
    RunId,
    as_label,
    copied_config_map,
    event_name,
    is_environment_of,
    run_namespace,
    slice_name,
)
from seatrial.plan import PlanError, make_plan
from tests.builders import INPOD_FILES, SETTINGS
from tests.property.conftest import few
from tests.property.openapi import schema_of, valid

if TYPE_CHECKING:
    from collections.abc import Iterator

Object = dict[str, Any]

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@st.composite
def subdomains(draw: st.DrawFn, longest: int = 253) -> str:
    """The name of an object, of any length and with its dots and dashes anywhere."""
    alphabet = draw(
        st.sampled_from(["a", "a-", "a.", "ab-.", "0123456789-.", "abcdefghijklmnopqrstuvwxyz0123456789-."])
    )
    length = draw(st.sampled_from([1, 2, 34, 35, 39, 40, 41, 43, 44, 54, 62, 63, 64, 100, longest]))
    text = draw(st.text(alphabet, min_size=length, max_size=length))
    text = re.sub(r"\.\.+", lambda dots: "a" * len(dots[0]), text)
    text = re.sub(r"-(?=\.)|(?<=\.)-|^[-.]|[-.]$", "a", text)
    return text if SUBDOMAIN.fullmatch(text) else "a" * length


LABELS = subdomains(63).map(lambda name: name.replace(".", "a")[:63].rstrip("-"))
UIDS = st.uuids().map(str)
RUNS = st.builds(RunId, subdomains(), LABELS, UIDS)


@given(RUNS)
def test_the_names_of_a_run(run: RunId) -> None:
    namespace = run_namespace(run)
    assert LABEL.fullmatch(namespace)
    assert is_environment_of(namespace, run.uid)
    assert LABEL.fullmatch(slice_name(run, "s" * 40, 31, 10**7))
    assert SUBDOMAIN.fullmatch(event_name(run, "Accepted", "the spec is valid"))
    assert len(event_name(run, "Accepted", "")) <= 253


@given(st.lists(RUNS, min_size=2, max_size=6, unique_by=lambda run: run.uid))
def test_no_two_runs_share_a_name(runs: list[RunId]) -> None:
    namespaces = [run_namespace(run) for run in runs]
    slices = {slice_name(run, suite, shard, 0) for run in runs for suite in ("a", "b") for shard in (0, 1)}
    assert len(set(namespaces)) == len(runs)
    assert len(slices) == 4 * len(runs)
    for run in runs:
        assert [is_environment_of(name, run.uid) for name in namespaces] == [other is run for other in runs]


@given(RUNS, LABELS, UIDS)
def test_a_name_belongs_to_its_uid_whatever_the_run_is_called(run: RunId, namespace: str, uid: str) -> None:
    again = RunId(run.name, namespace, run.uid)
    assert run_namespace(again) == run_namespace(run)
    assert not is_environment_of(namespace, uid)
    assert not is_environment_of(run_namespace(run).removeprefix("seatrial-"), run.uid)


@given(st.lists(subdomains(), min_size=2, max_size=8, unique=True))
def test_no_two_copies_share_a_name(names: list[str]) -> None:
    copies = {copied_config_map(name) for name in names}
    assert len(copies) == len(names)
    assert all(LABEL.fullmatch(name) for name in copies)


@given(subdomains())
@example("a.b")
@example("a" * 64)
def test_nobody_can_call_an_object_like_the_copy_of_another(name: str) -> None:
    """Whoever knows how names are cut could otherwise have one object's content in the place of another's."""
    label = as_label(name)
    if label != name:
        assert as_label(label) != label
    target = copied_config_map(name).removeprefix("configmap-")
    if target != name:
        assert copied_config_map(target) != copied_config_map(name)


@few(20)
@given(RUNS, valid(schema_of("TestRun", "spec"), items=2))
def test_every_object_of_a_plan_has_names_that_kubernetes_takes(run: RunId, spec: Object) -> None:
    try:
        plan = make_plan(run, parse_spec(spec), SETTINGS, INPOD_FILES)
    except (SpecError, PlanError):
        return
    objects = [
        plan.namespace,
        *plan.isolation,
        plan.connection,
        *plan.environment,
        *(item for service in plan.services for item in (service.service, service.pod)),
        *(item for application in plan.applications for item in (application.service, application.deployment)),
        *(suite.job for suite in plan.suites),
    ]
    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    names += [(copy.kind, copy.target) for copy in plan.copies]
    assert len(set(names)) == len(names)
    assert all(LABEL.fullmatch(name) for _, name in names)
    for item in objects:
        if item["kind"] != "Namespace":
            assert item["metadata"]["namespace"] == plan.namespace_name
        for labels in _labels(item):
            assert all(KEY.fullmatch(key) and VALUE.fullmatch(value) for key, value in labels.items()), labels
        json.dumps(item, allow_nan=False).encode()
    for suite in plan.suites:  # an indexed Job's pods are hosts called like the Job, with the shard
        assert LABEL.fullmatch(f"{suite.job['metadata']['name']}-{suite.shards - 1}")


def _labels(value: Any) -> Iterator[dict[str, str]]:
    """All labels and selectors in an object."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in {"labels", "matchLabels"}:
                yield inner
            else:
                yield from _labels(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _labels(inner)


@pytest.mark.parametrize("seed", ["0", "1"])
def test_names_are_the_same_in_every_process(seed: str) -> None:
    names = ["orders", "a.b", "x" * 253]
    script = (
        "import json, sys; from seatrial.naming import *; "
        "print(json.dumps([[run_namespace(RunId(n, 'a', 'u')), slice_name(RunId(n, 'a', 'u'), 's', 1, 2)] "
        "for n in json.loads(sys.argv[1])]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, json.dumps(names)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=True,
        capture_output=True,
    )
    runs = [RunId(name, "a", "u") for name in names]
    assert json.loads(answer.stdout) == [[run_namespace(run), slice_name(run, "s", 1, 2)] for run in runs]
