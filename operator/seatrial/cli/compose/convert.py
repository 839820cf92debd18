"""A compose file -> the documents of a manifest, and the notes about what it does not have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.api import API_VERSION
from seatrial.api.spec import RESERVED_NAMES, spec_problems
from seatrial.cli.compose import backing, parts
from seatrial.cli.compose.addresses import Addresses
from seatrial.cli.compose.notes import HANDLED, REASONS, Note, Notes
from seatrial.cli.compose.recognise import kind_of
from seatrial.cli.compose.smoke import smoke_test
from seatrial.cli.compose.suites import Pytest, pytest_of
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.manifest import field_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.cli.compose.source import ComposeFile

MAX_NAME = 40
MAX_APPLICATIONS = 16
_BACKING = ("kafka", "redpanda", "redis", "postgres", "influxdb")


@dataclass(frozen=True)
class Imported:
    """The documents of a manifest, and what could not be taken over."""

    documents: list[dict[str, Any]]
    notes: list[Note]


def dns_label(text: str, fallback: str = "run") -> str:
    """A text as a name that a TestRun, an application or a suite can have."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_NAME].rstrip("-")
    return plain if plain[:1].isalpha() else f"{fallback}-{plain}"[:MAX_NAME].rstrip("-") if plain else fallback


def convert(compose: ComposeFile, name: str = "") -> Imported:
    """A TestRun from a compose file. `name`: of the run, instead of the project's.

    Raises CliError for what no TestRun can have: an image whose name is none, a command that is too long.
    """
    return _Converter(compose, dns_label(name or compose.project)).convert()


class _Converter:
    def __init__(self, compose: ComposeFile, name: str) -> None:
        self.compose = compose
        self.name = name
        self.notes = Notes()
        self.folder = compose.path.parent
        self.services: dict[str, dict[str, Any]] = {}
        self.applications: list[dict[str, Any]] = []
        self.suites: list[dict[str, Any]] = []
        self.config_maps: list[dict[str, Any]] = []
        self.kinds = {key: self._kind(service) for key, service in compose.services.items()}
        self.names = self._names()
        self.addresses = Addresses(
            {key: str(kind) for key, kind in self.kinds.items() if kind in _BACKING},
            {key: name for key, name in self.names.items() if key != name},
            {
                alias: key
                for key, service in compose.services.items()
                for alias in (service.get("container_name"), service.get("hostname"))
                if isinstance(alias, str) and alias not in compose.services
            },
        )

    def convert(self) -> Imported:
        # First what a run brings by itself: helpers and applications ask whether it is there.
        for key in sorted(self.compose.services, key=lambda key: self.kinds[key] not in _BACKING):
            self._one(key, self.compose.services[key])
        self._finish_suites()
        for name in sorted(self.compose.unset):
            self.notes.tell("", f"${{{name}}}", "is set nowhere: it became empty")
        for name in self.compose.other:
            self.notes.tell("", name, REASONS.get(name, "has no counterpart in a TestRun"))
        spec: dict[str, Any] = {}
        if self.services:
            spec["services"] = self.services
        if self.applications:
            spec["applications"] = self.applications
        spec["suites"] = self.suites
        problems = spec_problems(spec)
        if problems:
            path, why = problems[0]
            where = field_name(("spec", *path))
            raise CliError(f"{self.compose.path}: leads to a TestRun that is not valid: {where}: {why}", Exit.USAGE)
        run = {"apiVersion": API_VERSION, "kind": "TestRun", "metadata": {"name": self.name}, "spec": spec}
        return Imported([*self.config_maps, run], self.notes.items)

    def _kind(self, service: dict[str, Any]) -> str | None:
        """A service of a run, a helper of one (`topics`), a suite (`pytest`), or an application (None)."""
        if pytest_of(service, lambda _key, _reason: None) is not None:
            return "pytest"
        kind = kind_of(str(service.get("image", ""))) if not service.get("build") else None
        if kind in {"kafka", "redpanda"} and backing.topics_of_command(service, lambda _key, _reason: None) is not None:
            return "topics"
        return kind

    def _names(self) -> dict[str, str]:
        """Names of applications and suites by those of their services: valid, unlike each other and unlike ours."""
        found: dict[str, str] = {}
        for key, kind in self.kinds.items():
            if kind not in {None, "pytest"}:
                continue
            name = dns_label(key, "app")
            if name in RESERVED_NAMES and kind is None:
                name = f"{name}-app"
            number = 2
            while name in found.values():
                name, number = f"{dns_label(key, 'app')[: MAX_NAME - 3].rstrip('-')}-{number}", number + 1
            found[key] = name
        return found

    def _teller(self, service: str) -> Callable[[str, str], None]:
        return lambda key, reason: self.notes.tell(service, key, reason)

    def _one(self, key: str, service: dict[str, Any]) -> None:
        kind = self.kinds[key]
        tell = self._teller(key)
        match kind:
            case "zookeeper":
                tell("", "not needed: the run's Kafka keeps its own metadata (KRaft)")
            case "console":
                tell("", "left out: it is for people who look at a running system")
            case "topics":
                self._topics(key, service)
            case "pytest":
                self._suite(key, service)
            case None:
                self._application(key, service)
            case _:
                self._service(key, kind, service)

    def _service(self, key: str, kind: str, service: dict[str, Any]) -> None:
        tell = self._teller(key)
        other = next((name for name in ("kafka", "redpanda") if name in self.services), None)
        if kind in self.services or (kind in {"kafka", "redpanda"} and other):
            what = "broker" if kind in {"kafka", "redpanda"} else kind
            tell("", f"left out: a run has one {what}; its addresses lead there")
            return
        env = parts.environment(service, self.folder, tell)
        match kind:
            case "kafka" | "redpanda":
                self.services[kind] = backing.broker(kind, service, env, tell)
            case "redis":
                self.services[kind] = backing.redis(service, tell)
            case "influxdb":
                self.services[kind] = backing.influxdb(service, env, tell)
            case _:
                settings, files = backing.postgres(service, env, self.folder, tell)
                if files:
                    name = f"{self.name}-sql"
                    settings["initSQL"] = {"configMapRef": {"name": name}}
                    self._config_map(name, files)
                self.services[kind] = settings
        if key != kind:
            tell("", f"is {kind} in a run, and reached by that name")
        self._tell_rest(key, service, {"volumes", "depends_on", "healthcheck", "user", "deploy"})

    def _topics(self, key: str, service: dict[str, Any]) -> None:
        found = backing.topics_of_command(service, self._teller(key)) or []
        kinds = [kind for kind in self.kinds.values() if kind in {"kafka", "redpanda"}]
        broker = str(kinds[0]) if kinds else "kafka"
        settings = self.services.setdefault(broker, {})
        known = {topic["name"] for topic in settings.get("topics", ())}
        new = {topic["name"]: topic for topic in found if topic["name"] not in known}
        settings["topics"] = [*settings.get("topics", ()), *new.values()]
        self.notes.tell(key, "", f"left out: its topics are made by the run: {', '.join(new) or 'none'}")

    def _config_map(self, name: str, files: dict[str, str]) -> None:
        self.config_maps.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": files})

    def _image(self, key: str, service: dict[str, Any]) -> str:
        image = str(service.get("image") or "")
        built = bool(service.get("build"))
        if not image and not built:
            self.notes.tell(key, "image", "has neither image nor build: write the image that it runs")
        if not image:
            image = f"{self.name}/{self.names[key]}:dev"
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

    def _suite(self, key: str, service: dict[str, Any]) -> None:
        called = pytest_of(service, self._teller(key)) or Pytest()
        suite: dict[str, Any] = {"name": self.names[key], "image": self._image(key, service)}
        if called.as_spec():
            suite["pytest"] = called.as_spec()
        self.suites.append(suite | self._common(key, service))
        self._tell_rest(key, service, {"ports", "expose", "healthcheck"})

    def _application(self, key: str, service: dict[str, Any]) -> None:
        tell = self._teller(key)
        if len(self.applications) >= MAX_APPLICATIONS:
            tell("", f"left out: a run has at most {MAX_APPLICATIONS} applications")
            return
        application: dict[str, Any] = {"name": self.names[key], "image": self._image(key, service)}
        if self.names[key] != key:
            tell("", f"is {self.names[key]} in a run, and reached by that name")
        for ours, theirs in (("command", "entrypoint"), ("args", "command")):
            said = [self.addresses.in_text(word) for word in parts.words(service.get(theirs))]
            if said:
                application[ours] = said
        application |= self._common(key, service)
        published = parts.ports(service, tell)
        ready = parts.ready(service, key)
        numbers = [port.target for port in published]
        if ready and ready.port and ready.port not in numbers:
            numbers.append(ready.port)
        web = ready.port if ready and ready.path else 0
        names = {number: "http" if number == web else f"port-{number}" for number in numbers[:16]}
        if names:
            application["ports"] = [{"name": name, "port": number} for number, name in names.items()]
        for port in published:
            if port.host and port.host != str(port.target):
                tell("ports", f"is reached as {self.names[key]}:{port.target}; {port.host} is a port of the host")
        if ready and ready.port in names:
            check = (
                {"http": {"path": ready.path, "port": names[ready.port]}}
                if ready.path
                else {"tcp": {"port": names[ready.port]}}
            )
            application["ready"] = check
        elif ready:
            application["ready"] = {"exec": {"command": list(ready.command)}}
        elif names:
            first = next(iter(names.values()))
            application["ready"] = {"tcp": {"port": first}}
            tell("healthcheck", f"has none: it is ready when its port {first} accepts a connection")
        self.applications.append(application)
        self._tell_rest(key, service, set())

    def _tell_rest(self, key: str, service: dict[str, Any], quiet: set[str]) -> None:
        """Every key that nobody has read, with the reason."""
        for name in service:
            if name in quiet or name in HANDLED or name.startswith("x-"):
                continue
            if name == "deploy" and set(service["deploy"] or ()) <= {"resources"}:
                continue
            self.notes.tell(key, name, REASONS.get(name, "has no counterpart in a TestRun"))

    def _finish_suites(self) -> None:
        if self.suites:
            return
        name = f"{self.name}-tests"
        self._config_map(name, {"test_environment.py": smoke_test(self.applications, list(self.services))})
        self.suites.append({"name": "environment", "testsFrom": {"configMapRef": {"name": name}}, "timeout": "2m"})
        self.notes.tell(
            "", "suites", "no service runs pytest: a first suite connects to everything; put yours beside it"
        )
