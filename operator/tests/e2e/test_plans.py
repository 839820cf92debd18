"""What is planned for services whose server cannot be run here is accepted by a real API server."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
import yaml

from seatrial.api import parse_spec
from seatrial.apply import draw_secrets
from seatrial.naming import RUN_UID_LABEL, RunId
from seatrial.plan import make_plan
from seatrial.settings import parse_settings

from .kubectl import ROOT, kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial.plan import Plan

pytestmark = pytest.mark.e2e

SPEC = {
    "services": {"redpanda": {"topics": [{"name": "orders"}], "schemaRegistry": True}},
    "suites": [{"name": "it", "testsFrom": {"configMapRef": {"name": "tests"}}, "shards": 2}],
    "applications": [{"name": "app", "image": "example/app:1", "ports": [{"name": "http", "port": 80}]}],
}


@pytest.fixture
def plan() -> Iterator[Plan]:
    """A plan whose namespace exists, so that admission judges the rest as it would in a run."""
    values = yaml.safe_load((ROOT / "charts" / "seatrial" / "values.yaml").read_text())
    settings = parse_settings({"images": values["images"], "catalogue": values["catalogue"]})
    run = RunId("redpanda", "default", str(uuid.uuid4()))
    plan = make_plan(run, parse_spec(SPEC), settings, {"supervisor.py": ""})
    metadata = plan.namespace["metadata"]
    # With the uid of a run that does not exist it would be an orphan, which the operator deletes when it finds it.
    labels = {name: value for name, value in metadata["labels"].items() if name != RUN_UID_LABEL}
    namespace = {**plan.namespace, "metadata": {**metadata, "labels": labels}}
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(namespace))
    yield plan
    kubectl("delete", "namespace", plan.namespace_name, "--wait=false")


def test_redpanda_passes_a_server_side_dry_run(plan: Plan) -> None:
    objects = [
        *plan.isolation,
        draw_secrets(plan.connection),
        *(item for service in plan.services for item in (service.service, service.pod)),
        *plan.environment,
        *(item for app in plan.applications for item in (app.service, app.deployment)),
        *(suite.job for suite in plan.suites),
    ]
    # The service account must be there before admission can judge a pod.
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(plan.isolation[0]))
    said = kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(objects)
    )
    assert len(said.splitlines()) == len(objects)
    assert "pod/redpanda serverside-applied (server dry run)" in said


def test_a_pod_that_is_not_restricted_is_refused(plan: Plan) -> None:
    """The dry run above would say so."""
    pod = plan.services[0].pod
    loose = {**pod, "spec": {**pod["spec"], "securityContext": {}}}
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump(plan.isolation[0]))
    said = kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(loose), check=False)
    assert "violates PodSecurity" in said
