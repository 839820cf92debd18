"""Addresses in the environment of applications and suites: the same host names where they are the same, else ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GIVEN = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka", "SCHEMA_REGISTRY_URL": "redpanda", "REDIS_URL": "redis", "REDIS_HOST": "redis",
    "REDIS_PORT": "redis", "REDIS_PASSWORD": "redis", "DATABASE_URL": "postgres", "DATABASE_HOST": "postgres",
    "DATABASE_PORT": "postgres", "DATABASE_NAME": "postgres", "DATABASE_USER": "postgres",
    "DATABASE_PASSWORD": "postgres",
    "INFLUXDB_URL": "influxdb", "INFLUXDB_TOKEN": "influxdb", "INFLUXDB_ORG": "influxdb", "INFLUXDB_BUCKET": "influxdb",
    "INFLUXDB_HOST": "influxdb", "INFLUXDB_PORT": "influxdb",
}  # fmt: skip
"""Variables that a run sets by itself, and the service that they are about."""
_READ_INSTEAD = {
    "redis": "its password is drawn for each run: read REDIS_URL",
    "postgres": "its user and password are drawn for each run: read DATABASE_URL",
    "influxdb": "its token is drawn for each run: read INFLUXDB_TOKEN",
}
_BROKER_PORT = 9092


class Addresses:
    """Knows which name of a compose file is which name of a run."""

    def __init__(self, services: Mapping[str, str], renamed: Mapping[str, str], aliases: Mapping[str, str]) -> None:
        self._kinds = dict(services)
        broker = next((kind for kind in services.values() if kind in {"kafka", "redpanda"}), "kafka")
        self._hosts = {key: broker if kind in {"kafka", "redpanda"} else kind for key, kind in services.items()}
        self._hosts |= dict(renamed)
        for alias, key in aliases.items():
            self._hosts[alias] = self._hosts.get(key, key)
            if key in self._kinds:
                self._kinds[alias] = self._kinds[key]
        names = sorted(self._hosts, key=len, reverse=True)
        self._pattern = re.compile(
            rf"(?<![\w.-])({'|'.join(map(re.escape, names))})(?![\w.-]|://)(?::(\d+))?" if names else r"(?!)"
        )

    def rewrite(self, env: Mapping[str, str], tell: Callable[[str, str], None]) -> dict[str, str]:
        """The variables with the names of a run, without those that a run sets by itself."""
        kinds = set(self._kinds.values())
        found = {}
        for name, value in env.items():
            about = GIVEN.get(name)
            if about in kinds or (about == "kafka" and "redpanda" in kinds):
                tell("environment", f"{name} is left out: the run sets it")
                continue
            found[name] = self.in_text(value, is_host=name.upper().endswith(("HOST", "SERVER", "ADDR", "ADDRESS")))
            if found[name] != value:  # the value itself may hold a password
                tell("environment", f"{name}: the addresses in it are those of a run, such as {self._example(value)}")
            for kind in self._mentioned(value):
                if kind in _READ_INSTEAD:
                    tell("environment", f"{name} names {kind}: {_READ_INSTEAD[kind]}")
        return found

    def _example(self, text: str) -> str:
        changes = (self._one(match) for match in self._pattern.finditer(text) if self._one(match) != match[0])
        return next(changes, self._hosts.get(text, text))

    def in_text(self, text: str, *, is_host: bool = False) -> str:
        """A text with its addresses in the names of a run: `broker:29092` is `kafka:9092`."""
        if is_host and text in self._hosts:
            return self._hosts[text]
        return self._pattern.sub(self._one, text)

    def _one(self, match: re.Match[str]) -> str:
        name, port = match[1], match[2]
        # A bare word is an address only where the text looks like one: behind `://` or `@`.
        before = match.string[: match.start()]
        if port is None and not before.endswith(("://", "@")):
            return match[0]
        host = self._hosts[name]
        if self._kinds.get(name) in {"kafka", "redpanda"} and port is not None and port != "8081":
            return f"{host}:{_BROKER_PORT}"
        return f"{host}:{port}" if port else host

    def _mentioned(self, text: str) -> list[str]:
        kinds = [self._kinds[match[1]] for match in self._pattern.finditer(text) if match[1] in self._kinds]
        return list(dict.fromkeys(kinds))
