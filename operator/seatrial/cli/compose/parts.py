"""Parts of a compose service that can be written in several ways, read into one."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from seatrial.cli.compose.interpolate import parse_env
from seatrial.cli.compose.source import read_text
from seatrial.cli.exits import CliError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Tell = "Callable[[str, str], None]"
_PORT = re.compile(
    r"(?:(?:\[[^]]*\]|[^:]*):)*?(?:(?P<host>[0-9-]*):)?(?P<target>[0-9]+)(?P<last>-[0-9]+)?(?:/(?P<kind>\w+))?"
)
_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([bkmg]?)b?", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOCAL = {"localhost", "127.0.0.1", "0.0.0.0", "[::1]", "::1"}  # noqa: S104  (names that a health check uses)
MAX_VALUE = 4096
MAX_VARIABLES = 64


def words(value: Any) -> list[str]:
    """A command as a list: a text is split as a shell does, without being run by one."""
    if value is None:
        return []
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            return value.split()
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def environment(service: dict[str, Any], folder: Path, tell: Callable[[str, str], None]) -> dict[str, str]:
    """Variables of `env_file` and `environment`, as texts."""
    found: dict[str, str] = {}
    files = service.get("env_file") or []
    for entry in files if isinstance(files, list) else [files]:
        name = entry.get("path") if isinstance(entry, dict) else entry
        try:
            found |= parse_env(read_text(folder / str(name)))
        except CliError as error:
            tell("env_file", error.message)
    given = service.get("environment") or {}
    if isinstance(given, list):
        pairs = [str(item).partition("=") for item in given]
        given = {name: value if equals else None for name, equals, value in pairs}
    for name, value in given.items() if isinstance(given, dict) else ():
        if value is None:
            tell("environment", f"{name} takes its value from the shell: write one")
        elif not _VARIABLE.fullmatch(name):
            tell("environment", f"{name} is no name that a container of a run can have")
        else:
            found[name] = (
                {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
            )
    for name in [name for name, value in found.items() if len(value) > MAX_VALUE]:
        tell("environment", f"{name} has {len(found.pop(name))} characters; {MAX_VALUE} are allowed")
    for name in list(found)[MAX_VARIABLES:]:
        del found[name]
        tell("environment", f"{name}: more than {MAX_VARIABLES} variables")
    return found


@dataclass(frozen=True)
class Published:
    """A port of a container, and the one of the host that leads to it."""

    target: int
    host: str


def ports(service: dict[str, Any], tell: Callable[[str, str], None]) -> list[Published]:
    """TCP ports of `ports` and `expose`."""
    found: dict[int, Published] = {}
    for member in ("ports", "expose"):
        for item in service.get(member) or ():
            if isinstance(item, dict):
                target, host, kind = (
                    str(item.get("target", "")),
                    str(item.get("published", "")),
                    item.get("protocol", "tcp"),
                )
                last = None
            else:
                match = _PORT.fullmatch(str(item))
                target, host, kind, last = (
                    match.group("target", "host", "kind", "last") if match else ("", "", "", None)
                )
            number = int(target) if target and target.isdecimal() else 0
            if not 1 <= number <= 65535 or last or kind not in {None, "", "tcp"}:  # noqa: PLR2004
                why = "a range" if last else "not TCP" if kind not in {None, "", "tcp"} else "no port"
                tell(member, f"{item} is {why}: name single TCP ports")
                continue
            found.setdefault(number, Published(number, host or ""))
    return list(found.values())


def memory(value: Any) -> str | None:
    """An amount of memory as Kubernetes writes it: 512m of Compose are 512Mi."""
    match = _MEMORY.fullmatch(str(value).strip())
    if match is None:
        return None
    unit = {"": "", "b": "", "k": "Ki", "m": "Mi", "g": "Gi"}[match[2].lower()]
    return f"{match[1]}{unit}"


def resources(service: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Limits and requests."""
    deploy = service.get("deploy") if isinstance(service.get("deploy"), dict) else {}
    given = deploy.get("resources") or {} if isinstance(deploy, dict) else {}
    found: dict[str, dict[str, str]] = {}
    for ours, theirs, own in (
        ("limits", "limits", ("cpus", "mem_limit")),
        ("requests", "reservations", ("", "mem_reservation")),
    ):
        part = given.get(theirs) or {}
        cpus, amount = part.get("cpus", service.get(own[0])), part.get("memory", service.get(own[1]))
        values = {"cpu": _cpus(cpus), "memory": memory(amount) if amount is not None else None}
        kept = {key: value for key, value in values.items() if value and len(value) <= 16}  # noqa: PLR2004
        if kept:
            found[ours] = kept
    return found


def _cpus(value: Any) -> str | None:
    text = str(value)
    return text if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else None


@dataclass(frozen=True)
class Ready:
    """A health check: a path and a port, a port alone, or a command."""

    path: str = ""
    port: int = 0
    command: tuple[str, ...] = ()


def ready(service: dict[str, Any], name: str) -> Ready | None:
    """What a health check asks for; None without one."""
    check = service.get("healthcheck")
    test = check.get("test") if isinstance(check, dict) and not check.get("disable") else None
    if not test or test == "NONE" or (isinstance(test, list) and test[0] == "NONE"):
        return None
    if isinstance(test, str):
        test = ["CMD-SHELL", test]
    parts = [str(item) for item in test]
    shell = parts[0] == "CMD-SHELL"
    command = parts[1:] if parts[0] in {"CMD", "CMD-SHELL"} else parts
    said = words(command[0]) if shell and command else command
    for stop in ("||", "&&", ";", "|"):
        if stop in said:
            tail = said[said.index(stop) + 1 :]
            if stop != "||" or tail[:1] not in (["exit"], ["false"]):
                return Ready(command=("sh", "-c", " ".join(command)))
            said = said[: said.index(stop)]
    asked = _asked(said, name)
    return asked or Ready(command=("sh", "-c", command[0]) if shell else tuple(command))


def _asked(said: list[str], name: str) -> Ready | None:
    tool = said[0].rpartition("/")[2] if said else ""
    if tool in {"curl", "wget"}:
        urls = [word for word in said[1:] if "://" in word or word.split(":")[0] in _LOCAL]
        url = urlsplit(urls[0] if "://" in urls[0] else f"http://{urls[0]}") if len(urls) == 1 else None
        plain = not any(word in {"-X", "--request", "-H", "--header", "-d", "--data", "-u", "--user"} for word in said)
        if url is not None and plain and url.scheme == "http" and (url.hostname or "") in _LOCAL | {name}:
            return Ready(path=(url.path or "/") + (f"?{url.query}" if url.query else ""), port=url.port or 80)
    if tool == "nc" and "-z" in said:
        numbers = [word for word in said[1:] if word.isdecimal()]
        hosts = [word for word in said[1:] if not word.startswith("-") and not word.isdecimal()]
        if numbers and hosts and hosts[0] in _LOCAL | {name}:
            return Ready(port=int(numbers[-1]))
    return None
