"""A compose file -> the documents of a manifest, and the notes about what it does not have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.api import API_VERSION
from seatrial.api.spec import RESERVED_NAMES, spec_problems
from seatrial.cli.compose import backing, parts
from seatrial.cli.compose.addresses import Addresses
from seatrial.cli.compose.containers import Containers
from seatrial.cli.compose.notes import REASONS, Note, Notes
from seatrial.cli.compose.recognise import kind_of
from seatrial.cli.compose.smoke import smoke_test
from seatrial.cli.compose.suites import pytest_of
from seatrial.cli.exits import CliError, Exit
from seatrial.cli.manifest import field_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.cli.compose.source import ComposeFile

MAX_NAME = 40
MAX_APPLICATIONS = 16
MAX_TOLD = 12
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
        self.containers = Containers(self.name, self.folder, self.names, self.addresses, self.notes)

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
                self.suites.append(self.containers.suite(key, service))
            case None if len(self.applications) >= MAX_APPLICATIONS:
                tell("", f"left out: a run has at most {MAX_APPLICATIONS} applications")
            case None:
                self.applications.append(self.containers.application(key, service))
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
        self._tell_left(key, service, env)

    def _tell_left(self, key: str, service: dict[str, Any], env: dict[str, str]) -> None:
        """What a run's own service does not take from the container that it stands for."""
        names = [name for name in service if name not in backing.READ and not name.startswith("x-")]
        names += [name for name in env if name not in backing.READ]
        if names:
            more = f" and {len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else ""
            listed = f"{', '.join(names[:MAX_TOLD])}{more}"
            self.notes.tell(key, "", f"the run's own settings take the place of {listed}")

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

    def _finish_suites(self) -> None:
        if self.suites:
            return
        name = f"{self.name}-tests"
        self._config_map(name, {"test_environment.py": smoke_test(self.applications, list(self.services))})
        self.suites.append({"name": "environment", "testsFrom": {"configMapRef": {"name": name}}, "timeout": "2m"})
        self.notes.tell(
            "", "suites", "no service runs pytest: a first suite connects to everything; put yours beside it"
        )
