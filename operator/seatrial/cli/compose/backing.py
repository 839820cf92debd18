"""The services that a run brings by itself: what their containers' settings mean for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.cli.compose.parts import words
from seatrial.cli.compose.recognise import difference, image_tag
from seatrial.cli.compose.source import read_text
from seatrial.cli.exits import CliError

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[[str, str], None]

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_NAME = re.compile(r"[a-zA-Z0-9._-]{1,63}")
_DATABASE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_INIT_FOLDER = "/docker-entrypoint-initdb.d"
_MAX_SQL = 1_000_000
MAX_PARTITIONS = 100
READ = frozenset({
    "image", "environment", "env_file", "command", "depends_on", "container_name", "hostname", "extends",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE", "KAFKA_CFG_AUTO_CREATE_TOPICS_ENABLE", "KAFKA_CREATE_TOPICS",
    "POSTGRES_DB", "POSTGRESQL_DATABASE", "POSTGRES_USER", "POSTGRESQL_USERNAME", "POSTGRES_PASSWORD",
    "POSTGRESQL_PASSWORD", "DOCKER_INFLUXDB_INIT_ORG", "INFLUXDB_ADMIN_ORG", "DOCKER_INFLUXDB_INIT_BUCKET",
    "INFLUXDB_ADMIN_BUCKET", "INFLUXDB_DB", "ALLOW_EMPTY_PASSWORD",
})  # fmt: skip
"""Keys and variables of such a service that are read here, or say nothing that a run would not know."""


def broker(kind: str, service: dict[str, Any], env: dict[str, str], tell: Tell) -> dict[str, Any]:
    """Kafka or Redpanda."""
    settings: dict[str, Any] = {}
    auto = _first(env, "KAFKA_AUTO_CREATE_TOPICS_ENABLE", "KAFKA_CFG_AUTO_CREATE_TOPICS_ENABLE")
    if auto is not None and auto.lower() == "false":
        settings["autoCreateTopics"] = False
    topics = []
    for item in filter(None, re.split(r"[,\s]+", env.get("KAFKA_CREATE_TOPICS", ""))):
        name, partitions, _, policy = (*item.split(":"), "", "", "")[:4]
        topics.append(_topic(name, partitions or "1", {"cleanup.policy": policy} if policy else {}, tell))
    found = [topic for topic in topics if topic]
    if found:
        settings["topics"] = found
    if kind == "redpanda" and "schema-registry" in " ".join(words(service.get("command"))):
        settings["schemaRegistry"] = True
    _tell_version(service, tell)
    return settings


def _topic(name: str, partitions: str, config: dict[str, str], tell: Tell) -> dict[str, Any] | None:
    if not _TOPIC.fullmatch(name) or not partitions.isdecimal() or not 1 <= int(partitions) <= MAX_PARTITIONS:
        tell("topics", f"{name}:{partitions} is no topic that a run can have: 1 to {MAX_PARTITIONS} partitions")
        return None
    topic: dict[str, Any] = {"name": name}
    if int(partitions) != 1:
        topic["partitions"] = int(partitions)
    return topic | ({"config": config} if config else {})


def topics_of_command(service: dict[str, Any], tell: Tell) -> list[dict[str, Any]] | None:
    """Topics that a helper creates with kafka-topics or rpk; None for a service that is no such helper."""
    text = " ".join([*words(service.get("entrypoint")), *words(service.get("command"))])
    found: list[dict[str, Any] | None] = []
    for call in re.split(r"&&|\|\||;|\n|kafka-topics(?:\.sh)?(?=\s)", text):
        name = re.search(r"--topic[=\s]+['\"]?([^\s'\"]+)", call)
        if "--create" in call and name:
            partitions = re.search(r"--partitions[=\s]+(\d+)", call)
            config = dict(re.findall(r"--config[=\s]+([\w.]+)=([^\s'\"]+)", call))
            found.append(_topic(name[1], partitions[1] if partitions else "1", config, tell))
        rpk = re.search(r"rpk\s+topic\s+create\s+(.*)", call)
        if rpk:
            partitions = re.search(r"(?:-p|--partitions)[=\s]*(\d+)", rpk[1])
            plain = re.sub(r"(?:-p|-r|-c|--\w[\w-]*|-X)[=\s]*\S+", "", rpk[1])
            found += [_topic(item, partitions[1] if partitions else "1", {}, tell) for item in plain.split()]
    return [topic for topic in found if topic] if found else None


def redis(service: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Redis."""
    if service.get("command") is not None:
        tell("command", "Redis runs with the run's own settings and a password of its own")
    _tell_version(service, tell)
    return {}


def postgres(
    service: dict[str, Any], env: dict[str, str], folder: Path, tell: Tell
) -> tuple[dict[str, Any], dict[str, str]]:
    """PostgreSQL, and the SQL files that it is initialised with."""
    settings: dict[str, Any] = {}
    database = _first(env, "POSTGRES_DB", "POSTGRESQL_DATABASE", "POSTGRES_USER", "POSTGRESQL_USERNAME")
    if database is not None and _DATABASE.fullmatch(database):
        settings["database"] = database
    elif database:
        tell("environment", f"the database is called test, not {database}: lower-case letters, digits and underscores")
    if service.get("command") is not None:
        tell("command", "PostgreSQL runs with the run's own settings")
    if _first(env, "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRESQL_USERNAME", "POSTGRESQL_PASSWORD") is not None:
        tell("environment", "user and password are drawn for each run: read DATABASE_URL")
    _tell_version(service, tell)
    return settings, _sql_files(service, folder, tell)


def _sql_files(service: dict[str, Any], folder: Path, tell: Tell) -> dict[str, str]:
    found: dict[str, str] = {}
    size = 0
    for volume in service.get("volumes") or ():
        if isinstance(volume, dict):
            source, target = str(volume.get("source", "")), str(volume.get("target", ""))
        else:
            source, _, rest = str(volume).partition(":")
            target = rest.split(":")[0]
        if not target.startswith(_INIT_FOLDER) or not source.startswith((".", "/", "~")):
            if target.startswith(_INIT_FOLDER):
                tell("volumes", f"{source} is no file beside the compose file")
            continue
        path = folder / source
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            name = file.name if path.is_dir() else Path(target).name
            if not name.endswith(".sql") or not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", name):
                tell("volumes", f"{name}: only .sql files can initialise the database of a run")
                continue
            try:
                text = read_text(file, _MAX_SQL)
            except CliError as error:
                tell("volumes", error.message)
                continue
            size += len(text.encode())
            if size > _MAX_SQL:
                tell("volumes", f"{name}: a ConfigMap takes 1 MiB: put the SQL into a ConfigMap of its own")
                continue
            found[name] = text
    return found


def influxdb(service: dict[str, Any], env: dict[str, str], tell: Tell) -> dict[str, Any]:
    """InfluxDB 2."""
    settings = {}
    for ours, names in (
        ("org", ("DOCKER_INFLUXDB_INIT_ORG", "INFLUXDB_ADMIN_ORG")),
        ("bucket", ("DOCKER_INFLUXDB_INIT_BUCKET", "INFLUXDB_ADMIN_BUCKET", "INFLUXDB_DB")),
    ):
        value = _first(env, *names)
        if value is not None and _NAME.fullmatch(value):
            settings[ours] = value
        elif value:
            tell("environment", f"{value} can be no {ours} of a run: letters, digits, dots, underscores and dashes")
    if image_tag(str(service.get("image", ""))).startswith("1"):
        tell("image", "a run has InfluxDB 2: what speaks to InfluxDB 1 needs its compatibility API")
    elif any("TOKEN" in name or "PASSWORD" in name for name in env):
        tell("environment", "the token is drawn for each run: read INFLUXDB_TOKEN")
    _tell_version(service, tell)
    return settings


def _tell_version(service: dict[str, Any], tell: Tell) -> None:
    image = str(service.get("image", ""))
    lacking = difference(image)
    if lacking:
        tell("image", lacking)
    if image_tag(image) not in {"", "latest"}:
        tell("image", f"{image}: the default version of the catalogue is used; set `version` if another one is needed")


def _first(env: dict[str, str], *names: str) -> str | None:
    return next((env[name] for name in names if name in env), None)
