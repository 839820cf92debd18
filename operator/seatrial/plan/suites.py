"""The suites, as Jobs: a supervisor around pytest in the user's image, and a relay beside it."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING

from seatrial.api.base import parse_duration
from seatrial.api.spec import Pytest
from seatrial.naming import (
    ENVIRONMENT,
    GATE_PORT,
    INPOD_CONFIG_MAP,
    RELAY_CONTAINER,
    SUITE_CONTAINER,
    RunId,
    component_labels,
    copied_config_map,
    run_labels,
    suite_job,
)
from seatrial.plan.environment import AGENT_USER, connection_variables
from seatrial.plan.model import Copy, PlannedSuite
from seatrial.plan.pods import (
    config_map_volume,
    container_security,
    memory_volume,
    merge_variables,
    metadata,
    mount,
    pod_spec,
    resources,
    user_resources,
    user_variables,
    variable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial.api.spec import Suite
    from seatrial.plan.addresses import Addresses
    from seatrial.plan.model import Object, PlannedService
    from seatrial.settings import Images

COMPONENT = "suite"
RECORDS = "/seatrial-records"
INPOD = "/seatrial"
TESTS = "/tests"
TMP = "/tmp"  # noqa: S108  (a volume of its own)
INTERRUPT_SECONDS = 10
"""Between SIGINT, which lets pytest tear down and report, and SIGKILL."""
BACKSTOP_SECONDS = 60
"""The Job's own deadline comes this much after the supervisor's: it is there for a supervisor that died."""
JUNIT_DRAIN_SECONDS = 20
"""For the relay to parse the XML after the suite's container ended."""


def inpod_config_map(run: RunId, files: Mapping[str, str]) -> Object:
    """The files that are mounted into every suite image."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(run, INPOD_CONFIG_MAP, run_labels(run)),
        "data": dict(files),
    }


def plan_suite(  # noqa: PLR0917  (called in one place)
    run: RunId,
    suite: Suite,
    services: Sequence[PlannedService],
    variables: Mapping[str, str],
    images: Images,
    gate_seconds: float,
    addresses: Addresses,
) -> PlannedSuite:
    """One indexed Job; its pods are never retried, since a retry would count tests twice.

    `variables` tell where the applications are.
    """
    labels = component_labels(run, COMPONENT, suite.name)
    seconds = parse_duration(suite.timeout).total_seconds()
    user_env, copies = user_variables(suite.env)
    others = [variable(name, value) for name, value in variables.items()]
    volumes = [memory_volume("records", "64Mi")]
    mounts: list[Object] = []
    folder = posixpath.dirname(suite.junit.path) if suite.junit else ""
    if folder != TMP:
        volumes.append(memory_volume("tmp", "256Mi"))
        mounts.append(mount("tmp", TMP))
    own_env = [
        variable("SEATRIAL_RUN", run.name),
        variable("SEATRIAL_SUITE", suite.name),
        variable("SEATRIAL_SHARDS", str(suite.shards)),
        # The Job controller writes the shard into an annotation of each pod of an indexed Job.
        {
            "name": "SEATRIAL_SHARD",
            "valueFrom": {
                "fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}
            },
        },
    ]
    container: Object = {
        "name": SUITE_CONTAINER,
        "image": suite.image or images.suite,
        "imagePullPolicy": images.pull_policy,
        "resources": user_resources(suite.resources, cpu="50m", memory="512Mi"),
        "securityContext": container_security(),
    }
    gate = [
        variable("SEATRIAL_GATE", f"http://{addresses.find(ENVIRONMENT, GATE_PORT)}/gate"),
        variable("SEATRIAL_GATE_SECONDS", _number(gate_seconds)),
    ]
    relay_env: list[Object] = [
        variable("SEATRIAL_RECORDS", RECORDS),
        variable("SEATRIAL_SERVICES", " ".join(_address(service, addresses) for service in services)),
    ]
    relay_mounts = [mount("records", RECORDS)]
    init: list[Object] = []
    if suite.tests_from is not None:
        source = suite.tests_from.config_map_ref.name
        copies.append(Copy("ConfigMap", source, copied_config_map(source)))
        volumes.append(config_map_volume("tests", copied_config_map(source)))
        mounts.append(mount("tests", TESTS, read_only=True))
        container["workingDir"] = TESTS
    if suite.junit is None:
        volumes.append(config_map_volume("inpod", INPOD_CONFIG_MAP))
        mounts += [mount("records", RECORDS), mount("inpod", INPOD, read_only=True)]
        container["command"] = ["python3", f"{INPOD}/supervisor.py"]
        own_env += [
            *gate,
            variable("SEATRIAL_TIMEOUT_SECONDS", _number(seconds)),
            variable("SEATRIAL_GRACE_SECONDS", str(INTERRUPT_SECONDS)),
            variable("SEATRIAL_RECORDS", RECORDS),
            variable("SEATRIAL_RETRIES", str(suite.retries)),
            variable("SEATRIAL_PYTEST_ARGS", json.dumps(pytest_args(suite.pytest or Pytest()))),
        ]
    else:
        volumes.append(memory_volume("junit", "64Mi"))
        mounts.append(mount("junit", folder))
        relay_mounts.append(mount("junit", folder, read_only=True))
        relay_env.append(variable("SEATRIAL_JUNIT", suite.junit.path))
        if suite.command:
            container["command"] = list(suite.command)
        if suite.args:
            container["args"] = list(suite.args)
        init.append(
            _agent_container("gate", images, "seatrial.agent.gate", env=gate, mounts=[]),
        )
    env = merge_variables(others, connection_variables(services), user_env, own_env)
    container |= {"env": env, "volumeMounts": mounts}
    relay = _agent_container(RELAY_CONTAINER, images, "seatrial.agent.relay", env=relay_env, mounts=relay_mounts)
    relay["restartPolicy"] = "Always"
    grace = JUNIT_DRAIN_SECONDS if suite.junit else INTERRUPT_SECONDS
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(run, suite_job(suite.name), labels),
        "spec": {
            "completionMode": "Indexed",
            "completions": suite.shards,
            "parallelism": suite.shards,
            # Each pod is tried once. `backoffLimit` would kill all shards as soon as the tests of one failed.
            "backoffLimitPerIndex": 0,
            "activeDeadlineSeconds": int(gate_seconds + seconds + INTERRUPT_SECONDS + BACKSTOP_SECONDS),
            "template": {
                "metadata": {"labels": labels},
                "spec": pod_spec(
                    grace_seconds=grace,
                    user=suite.run_as_user,
                    restartPolicy="Never",
                    # A suite that is not pytest has no supervisor; the kubelet ends it, and its pod stays to tell.
                    **({"activeDeadlineSeconds": int(gate_seconds + seconds)} if suite.junit else {}),
                    initContainers=[relay, *init],
                    containers=[container],
                    volumes=volumes,
                ),
            },
        },
    }
    return PlannedSuite(
        name=suite.name,
        image=container["image"],
        job=job,
        shards=suite.shards,
        timeout_seconds=seconds,
        retries=suite.retries,
        junit=suite.junit is not None,
        copies=tuple(copies),
    )


def _address(service: PlannedService, addresses: Addresses) -> str:
    return str(addresses.find(service.name, service.service["spec"]["ports"][0]["port"]))


def pytest_args(options: Pytest) -> list[str]:
    """The arguments that pytest gets."""
    args = [*options.paths]
    if options.markers:
        args += ["-m", options.markers]
    if options.keyword:
        args += ["-k", options.keyword]
    return [*args, *options.args]


def _agent_container(
    name: str, images: Images, module: str, *, env: Sequence[Object], mounts: Sequence[Object]
) -> Object:
    security = container_security() | {"runAsUser": AGENT_USER, "runAsGroup": AGENT_USER}
    return {
        "name": name,
        "image": images.agent,
        "imagePullPolicy": images.pull_policy,
        "command": ["python", "-m", module],
        "env": list(env),
        "resources": resources("10m", "48Mi", "96Mi"),
        "securityContext": security,
        "volumeMounts": list(mounts),
    }


def _number(value: float) -> str:
    return f"{value:g}"
