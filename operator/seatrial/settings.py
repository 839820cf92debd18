"""The operator's configuration: one YAML file, written by the chart."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network  # noqa: TC003  (pydantic evaluates annotations)
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from seatrial.errors import SeatrialError

if TYPE_CHECKING:
    from pathlib import Path


class SettingsError(SeatrialError):
    """The configuration file is missing or wrong."""


class _Settings(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class CatalogueEntry(_Settings):
    """One service: its versions as images, and the one that is meant when a run names none."""

    default: str
    versions: dict[str, str]


class Images(_Settings):
    """The product's own images."""

    agent: str
    suite: str
    pull_policy: str = "IfNotPresent"


class Quota(_Settings):
    """What one run's namespace may hold at most."""

    pods: int = 60
    requests_cpu: str = "8"
    requests_memory: str = "16Gi"
    limits_cpu: str = "256"
    """Containers that name no limit count with `container_cpu`."""
    limits_memory: str = "16Gi"
    limits_ephemeral_storage: str = "64Gi"
    container_cpu: str = "2"
    """CPU limit of a container that names none."""
    container_ephemeral_storage: str = "512Mi"
    """Disk limit of a container that names none, and none can: volumes are in memory, so what is there is its log."""


class DnsSelector(_Settings):
    """Where the cluster's DNS servers are, for the network policy that allows them."""

    namespace: str = "kube-system"
    labels: dict[str, str] = {"k8s-app": "kube-dns"}


class EgressPort(_Settings):
    """A port, or with `end_port` a range of them."""

    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    port: Annotated[int, Field(ge=1, le=65535)]
    end_port: Annotated[int | None, Field(ge=1, le=65535)] = None


class Egress(_Settings):
    """Addresses that runs may reach beside their own namespace and DNS."""

    cidr: IPv4Network | IPv6Network
    excluded: Annotated[tuple[IPv4Network | IPv6Network, ...], Field(alias="except")] = ()
    ports: Annotated[tuple[EgressPort, ...], Field(min_length=1)]
    namespaces: tuple[str, ...] = ("*",)
    """Whose runs may: names and patterns of the namespaces of TestRuns."""


class RunPods(_Settings):
    """Where the pods of all runs may run, and how; what is empty is left to the cluster."""

    runtime_class_name: str = ""
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, Any], ...] = ()
    priority_class_name: str = ""


class NetworkPolicies(_Settings):
    """What is asked of the cluster's network plugin."""

    check: bool = False
    """Whether to find out at start if policies are enforced."""
    required: bool = False
    """Whether to refuse runs where they are not, or where that is not known."""


class Settings(_Settings):
    """The operator's configuration."""

    images: Images
    catalogue: dict[str, CatalogueEntry]
    account: Annotated[str, Field(pattern=r"^([a-z0-9-]+:[a-z0-9.-]+)?$")] = ""
    """Namespace and name of the operator's own service account, with a colon between. It gets its rights in each run's
    namespace by a binding that is created with it; an operator without this setting has them already."""
    max_active_runs: Annotated[int, Field(ge=1)] = 4
    max_active_runs_per_namespace: Annotated[int | None, Field(ge=1)] = None
    """Of the TestRuns of one namespace; as many as there may be in all when absent."""
    namespaces: tuple[str, ...] = ("*",)
    """Whose TestRuns are this operator's; patterns as a shell knows them. The others' are left alone."""
    image_pull_seconds: Annotated[float, Field(gt=0)] = 45.0
    quota: Quota = Quota()
    dns: DnsSelector = DnsSelector()
    egress: tuple[Egress, ...] = ()
    network_policies: NetworkPolicies = NetworkPolicies()
    runs: RunPods = RunPods()


def load_settings(path: Path) -> Settings:
    """Read the configuration file. Raises SettingsError with the file's name and what is wrong."""
    try:
        return parse_settings(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}: the operator's configuration cannot be read") from None
    except ValidationError as error:
        what = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise SettingsError(f"{path}: {what}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # no UTF-8, no date, too deep
        raise SettingsError(f"{path} is not YAML: {error}") from None


def parse_settings(data: Any) -> Settings:
    return Settings.model_validate(data)
