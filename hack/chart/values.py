"""The chart's values as a model. The operator's settings are a part of them; the rest is about its Deployment."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from seatrial.settings import CatalogueEntry, Egress, Images, Settings

Text = Annotated[str, Field(min_length=1)]
Reference = Annotated[str, Field(pattern=r"^[a-z0-9][^\s@]*(@sha256:[0-9a-f]{64})?$")]
"""An image, by tag or by digest."""
Network = Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]
Labels = dict[str, str]
Object = dict[str, Any]


class _Values(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class ImageValues(Images):
    """The product's own images."""

    agent: Reference
    suite: Reference
    pull_policy: Annotated[str, Field(pattern="^(Always|IfNotPresent|Never)$")] = "IfNotPresent"


class CatalogueValues(CatalogueEntry):
    """The images of one service."""

    # Null takes a version away that the chart's own values have.
    versions: dict[str, Reference | None]  # type: ignore[assignment]


class EgressValues(Egress):
    """Addresses that runs may reach."""

    # Helm knows no format of networks.
    cidr: Network  # type: ignore[assignment]
    excluded: Annotated[tuple[Network, ...], Field(alias="except")] = ()  # type: ignore[assignment]


class Resources(_Values):
    """Of a container."""

    requests: dict[str, str | int] = {}
    limits: dict[str, str | int] = {}


class NetworkPolicy(_Values):
    """Who reaches the operator, and whom it reaches."""

    enabled: bool
    metrics_from: list[Object]
    api_server_ports: Annotated[list[Annotated[int, Field(ge=1, le=65535)]], Field(min_length=1)]
    api_server_cidrs: list[Network]


class Switch(_Values):
    """Something that is there or not."""

    enabled: bool


class PodDisruptionBudget(Switch):
    """Whether the operator may be evicted."""


class ServiceMonitor(Switch):
    """Scraping by the Prometheus operator."""

    interval: Annotated[str, Field(pattern="^[0-9]+(ms|s|m|h)$")]
    labels: Labels


class Dashboard(Switch):
    """A dashboard for Grafana."""

    labels: Labels


class Crds(Switch):
    """The CustomResourceDefinitions."""

    keep: bool


class Uninstall(_Values):
    """What comes before the end."""

    end_runs: bool
    timeout_seconds: Annotated[int, Field(ge=1)]


class Values(Settings):
    """Everything that can be set, and nothing else."""

    model_config = ConfigDict(frozen=True)

    images: ImageValues
    catalogue: dict[str, CatalogueValues | None]  # type: ignore[assignment]
    egress: tuple[EgressValues, ...]
    resources: Resources
    image_pull_secrets: list[Labels]
    node_selector: Labels
    tolerations: list[Object]
    priority_class_name: str
    pod_labels: Labels
    pod_annotations: Labels
    network_policy: NetworkPolicy
    pod_disruption_budget: PodDisruptionBudget
    service_monitor: ServiceMonitor
    dashboard: Dashboard
    crds: Crds
    uninstall: Uninstall


SET_BY_CHART = ("account",)
"""Settings of the operator that follow from where it is installed."""
OPERATOR_SETTINGS = tuple(
    field.alias or name for name, field in Settings.model_fields.items() if name not in SET_BY_CHART
)
"""Values that the chart hands to the operator as they are."""
