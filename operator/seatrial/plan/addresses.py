"""Where services and applications are found: by their names in a run's namespace, or where another engine says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Address:
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Addresses(Protocol):
    """Tells where a port of a service, an application or the environment is found."""

    def find(self, name: str, port: int) -> Address:
        """The address of one port."""

    def ready_file(self, application: str) -> str | None:
        """A file that exists as long as an application is ready; None where its name resolves only then."""


class Names:
    """Inside a run's namespace: each name resolves to a pod of its own, so that every port is free."""

    def find(self, name: str, port: int) -> Address:
        return Address(name, port)

    def ready_file(self, application: str) -> str | None:
        del application
        return None


def application_variables(ports: Mapping[str, Mapping[str, int]], addresses: Addresses) -> dict[str, str]:
    """Variables that tell where the applications are: NAME_HOST, NAME_PORT, NAME_URL and NAME_PORT_<port's name>.

    `ports` are the applications' ports, by name. The first one is that of NAME_PORT; the first whose name begins with
    http is that of NAME_URL.
    """
    variables: dict[str, str] = {}
    for name, numbers in ports.items():
        prefix = variable_name(name)
        for index, (port, number) in enumerate(numbers.items()):
            address = addresses.find(name, number)
            if index == 0:
                variables |= {f"{prefix}_HOST": address.host, f"{prefix}_PORT": str(address.port)}
            if port.startswith("http"):
                variables.setdefault(f"{prefix}_URL", f"http://{address}")
            variables[f"{prefix}_PORT_{variable_name(port)}"] = str(address.port)
    return variables


def variable_name(name: str) -> str:
    """A name of Kubernetes as part of an environment variable's."""
    return name.upper().replace("-", "_")
