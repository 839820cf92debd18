"""Spec -> Plan: everything a run needs, as plain data. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.base import parse_duration
from seatrial.plan.addresses import Address, Addresses, Names, application_variables
from seatrial.plan.applications import plan_application
from seatrial.plan.environment import connection_secret, environment_input, environment_pod
from seatrial.plan.model import Copy, Plan, PlanError, PlannedApplication, PlannedService, PlannedSuite
from seatrial.plan.namespace import binding, isolation, namespace
from seatrial.plan.pods import bound_cpu, placement
from seatrial.plan.services import plan_services
from seatrial.plan.suites import inpod_config_map, plan_suite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.spec import TestRunSpec
    from seatrial.naming import RunId
    from seatrial.settings import Settings

__all__ = [
    "Address",
    "Addresses",
    "Copy",
    "Names",
    "Plan",
    "PlanError",
    "PlannedApplication",
    "PlannedService",
    "PlannedSuite",
    "make_plan",
]

GATE_MARGIN_SECONDS = 30
"""How much longer a suite waits at the gate than the environment may take: the environment's word comes first."""


def make_plan(
    run: RunId,
    spec: TestRunSpec,
    settings: Settings,
    inpod_files: Mapping[str, str],
    addresses: Addresses | None = None,
) -> Plan:
    """Plan a run. Raises PlanError when this operator's catalogue lacks what the spec names."""
    addresses = addresses or Names()
    provision = parse_duration(spec.timeouts.provision).total_seconds()
    services = plan_services(run, spec.services, settings, addresses)
    pull_policy = settings.images.pull_policy
    ports = {item.name: {port.name: port.port for port in item.ports} for item in spec.applications}
    variables = application_variables(ports, addresses)
    applications = tuple(
        plan_application(run, item, services, variables, pull_policy, addresses) for item in spec.applications
    )
    suites = tuple(
        plan_suite(run, item, services, variables, settings.images, provision + GATE_MARGIN_SECONDS, addresses)
        for item in spec.suites
    )
    for pods in (*(item.deployment for item in applications), *(item.job for item in suites)):
        bound_cpu(pods["spec"]["template"]["spec"], settings.quota.container_cpu)
    environment = environment_pod(run, settings.images, services)
    specs = (
        *(item["spec"] for item in environment if item["kind"] == "Pod"),
        *(item.pod["spec"] for item in services),
        *(item.deployment["spec"]["template"]["spec"] for item in applications),
        *(item.job["spec"]["template"]["spec"] for item in suites),
    )
    for pod in specs:
        pod.update(placement(settings.runs))
    copies = {
        (copy.kind, copy.source): copy
        for part in (services, applications, suites)
        for item in part
        for copy in item.copies
    }
    return Plan(
        run=run,
        namespace=namespace(run),
        binding=binding(run, settings.account),
        isolation=(
            *isolation(run, settings),
            inpod_config_map(run, inpod_files),
            environment_input(run, services, applications, provision, addresses),
        ),
        connection=connection_secret(run, services),
        copies=tuple(copies.values()),
        environment=environment,
        services=services,
        applications=applications,
        suites=suites,
        parallelism=spec.parallelism,
        provision_seconds=provision,
        total_seconds=parse_duration(spec.timeouts.total).total_seconds(),
        retention_success_seconds=parse_duration(spec.retention.on_success).total_seconds(),
        retention_failure_seconds=parse_duration(spec.retention.on_failure).total_seconds(),
    )
