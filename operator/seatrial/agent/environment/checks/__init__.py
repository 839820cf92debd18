"""One check per kind of service: is it ready, by its own protocol and the run's credentials, and how is it seeded.

A new kind of service is one module and one line in `_CHECKS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING

from seatrial.agent.environment.input import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.agent.environment.input import Service


class Check(ABC):
    """What is done with one service. Made outside of the event loop; the variables are the connection variables."""

    expected: str
    """What `attempt` waits to see, for people."""
    doing: str = ""
    """What takes long just now, for the message at the deadline."""

    @abstractmethod
    def __init__(self, service: Service, variables: Mapping[str, str]) -> None:
        """Raises InputError."""

    @abstractmethod
    async def attempt(self) -> None:
        """Return when the service is ready; raise NotReadyError (tried again) or RefusedError (terminal)."""

    async def seed(self) -> None:  # noqa: B027  # many services have nothing to seed
        """Bring in what the run wants there; the same errors. Called again after NotReadyError."""

    async def close(self) -> None:  # noqa: B027  # or nothing to close
        """Let go of connections."""


_CHECKS = {
    "redis": ("redis", "RedisCheck"),
    "postgres": ("postgres", "PostgresCheck"),
    "influxdb": ("influxdb", "InfluxDBCheck"),
    "kafka": ("kafka", "KafkaCheck"),
    "redpanda": ("redpanda", "RedpandaCheck"),
}
"""Module and class by kind, the quickest server first: the modules are imported one after the other."""


def in_start_order(services: tuple[Service, ...]) -> list[Service]:
    """The services in the order in which their checks should start. Raises InputError for an unknown kind."""
    order = list(_CHECKS)
    for service in services:
        if service.kind not in _CHECKS:
            raise InputError(
                f"the service {service.name} is of the unknown kind {service.kind}; known: {', '.join(order)}"
            )
    return sorted(services, key=lambda service: order.index(service.kind))


def load(service: Service, variables: Mapping[str, str]) -> Check:
    """Import and make the check of a service. Takes up to 0.15 s of processor time."""
    module, name = _CHECKS[service.kind]
    check: type[Check] = getattr(import_module(f"{__name__}.{module}"), name)
    return check(service, variables)
