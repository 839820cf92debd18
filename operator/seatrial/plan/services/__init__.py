"""The backing services: one file each, and the registry of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.plan.model import PlanError
from seatrial.plan.services import influxdb, kafka, postgres, redis, redpanda

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.api.spec import Services
    from seatrial.naming import RunId
    from seatrial.plan.addresses import Addresses
    from seatrial.plan.model import PlannedService
    from seatrial.settings import Settings

PLANNERS: dict[str, Callable[[RunId, str, str, Services, Addresses], PlannedService | None]] = {
    "kafka": kafka.plan,
    "redpanda": redpanda.plan,
    "redis": redis.plan,
    "postgres": postgres.plan,
    "influxdb": influxdb.plan,
}
"""Service name -> (run, image, pull policy, spec, addresses) -> plan."""


def plan_services(
    run: RunId, services: Services, settings: Settings, addresses: Addresses
) -> tuple[PlannedService, ...]:
    """Plan each service that the spec names. Raises PlanError for a version that the catalogue lacks."""
    planned = []
    for name, planner in PLANNERS.items():
        wanted = getattr(services, name)
        if wanted is None:
            continue
        image = catalogue_image(settings, name, wanted.version)
        service = planner(run, image, settings.images.pull_policy, services, addresses)
        if service is not None:
            planned.append(service)
    return tuple(planned)


def catalogue_image(settings: Settings, name: str, version: str | None) -> str:
    """The image of a service's version. Raises PlanError that lists the versions there are."""
    entry = settings.catalogue.get(name)
    if entry is None:
        there = ", ".join(sorted(settings.catalogue)) or "none"
        raise PlanError(
            "UnknownService",
            f"spec.services.{name}: this operator's catalogue has no {name}; it has: {there}. "
            "Ask the operator's administrator to add it (chart value `catalogue`)",
        )
    wanted = version or entry.default
    image = entry.versions.get(wanted)
    if image is None:
        there = ", ".join(sorted(entry.versions)) or "none"
        raise PlanError(
            "UnknownVersion",
            f"spec.services.{name}.version: {wanted!r} is not in this operator's catalogue; it has: {there}. "
            "Leave version out for the default or ask the operator's administrator to add it (chart value `catalogue`)",
        )
    return image
