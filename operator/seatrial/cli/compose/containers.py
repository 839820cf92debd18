"""Services of a compose file that become containers of a run: applications and suites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.cli.compose import parts
from seatrial.cli.compose.notes import HANDLED, REASONS, Notes
from seatrial.cli.compose.suites import Pytest, pytest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from seatrial.cli.compose.addresses import Addresses


@dataclass(frozen=True)
class Containers:
    """Makes applications and suites, and tells what they do not have."""

    run: str
    folder: Path
    """The compose file's: its paths are relative to it."""
    names: Mapping[str, str]
    """Of the run's applications and suites, by those of their services."""
    addresses: Addresses
    notes: Notes

    def _teller(self, service: str) -> Callable[[str, str], None]:
        return lambda key, reason: self.notes.tell(service, key, reason)

    def suite(self, key: str, service: dict[str, Any]) -> dict[str, Any]:
        """A suite that runs pytest as the service does."""
        called = pytest_of(service, self._teller(key)) or Pytest()
        suite: dict[str, Any] = {"name": self.names[key], "image": self._image(key, service)}
        if called.as_spec():
            suite["pytest"] = called.as_spec()
        for name in ("ports", "expose", "healthcheck"):
            if service.get(name):
                self.notes.tell(key, name, "nobody connects to a suite, and nobody waits for it")
        suite |= self._common(key, service)
        self._tell_rest(key, service)
        return suite

    def application(self, key: str, service: dict[str, Any]) -> dict[str, Any]:
        """An application with its ports and the check that it is ready."""
        tell = self._teller(key)
        application: dict[str, Any] = {"name": self.names[key], "image": self._image(key, service)}
        if self.names[key] != key:
            tell("", f"is {self.names[key]} in a run, and reached by that name")
        for ours, theirs in (("command", "entrypoint"), ("args", "command")):
            said = [self.addresses.in_text(word) for word in parts.words(service.get(theirs))]
            if said:
                application[ours] = said
        application |= self._common(key, service)
        application |= self._ports(key, service)
        self._tell_rest(key, service)
        return application

    def _ports(self, key: str, service: dict[str, Any]) -> dict[str, Any]:
        """Ports, and the check that goes to one of them."""
        tell = self._teller(key)
        found: dict[str, Any] = {}
        published = parts.ports(service, tell)
        ready = parts.ready(service, key)
        numbers = [port.target for port in published]
        if ready and ready.port and ready.port not in numbers:
            numbers.append(ready.port)
        web = ready.port if ready and ready.path else 0
        names = {number: "http" if number == web else f"port-{number}" for number in numbers[:16]}
        if names:
            found["ports"] = [{"name": name, "port": number} for number, name in names.items()]
        for port in published:
            if port.host and port.host != str(port.target):
                tell("ports", f"is reached as {self.names[key]}:{port.target}; {port.host} is a port of the host")
        if ready and ready.port in names:
            check = (
                {"http": {"path": ready.path, "port": names[ready.port]}}
                if ready.path
                else {"tcp": {"port": names[ready.port]}}
            )
            found["ready"] = check
        elif ready:
            found["ready"] = {"exec": {"command": list(ready.command)}}
        elif names:
            first = next(iter(names.values()))
            found["ready"] = {"tcp": {"port": first}}
            tell("healthcheck", f"has none: it is ready when its port {first} accepts a connection")
        return found

    def _image(self, key: str, service: dict[str, Any]) -> str:
        image = str(service.get("image") or "")
        built = bool(service.get("build"))
        if not image and not built:
            self.notes.tell(key, "image", "has neither image nor build: write the image that it runs")
        if not image:
            image = f"{self.run}/{self.names[key]}:dev"
        if built:
            context = service["build"].get("context", ".") if isinstance(service["build"], dict) else service["build"]
            self.notes.tell(
                key, "build", f"build {context} as {image}; for a local run map {image} to {context} (seatrial.toml)"
            )
        return image

    def _common(self, key: str, service: dict[str, Any]) -> dict[str, Any]:
        tell = self._teller(key)
        found: dict[str, Any] = {}
        env = self.addresses.rewrite(parts.environment(service, self.folder, tell), tell)
        if env:
            found["env"] = [{"name": name, "value": value} for name, value in env.items()]
        user = str(service.get("user") or "").partition(":")[0]
        if user.isdecimal() and 0 < int(user) < 2**31:
            found["runAsUser"] = int(user)
        elif user:
            tell("user", f"{user} is no number above 0: set runAsUser to the number of a user that is not root")
        limits = parts.resources(service)
        if limits:
            found["resources"] = limits
        return found

    def _tell_rest(self, key: str, service: dict[str, Any]) -> None:
        """Every key that nobody has read, with the reason."""
        for name in service:
            if name in HANDLED or name.startswith("x-"):
                continue
            if name == "deploy" and set(service["deploy"] or ()) <= {"resources"}:
                continue
            self.notes.tell(key, name, REASONS.get(name, "has no counterpart in a TestRun"))
