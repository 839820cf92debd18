"""The Docker client: whether a daemon answers, and how the containers of a run are found again."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from seatrial.local.servers.search import Search

LABEL = "seatrial.dev/local-run"
"""Of every container; its value is the name of the folder in which the runs live."""
NOTE = ".docker"
"""In that folder: how the daemon is asked. Whoever clears up after a killed engine may have another environment."""
_RUN_FOLDER = "seatrial-run-"
_KEPT = frozenset(
    {"PATH", "HOME", "XDG_RUNTIME_DIR"}
    | {f"DOCKER_{name}" for name in ("HOST", "CONTEXT", "CONFIG", "TLS_VERIFY", "CERT_PATH", "API_VERSION")}
)
"""What a client needs to find its daemon. Others may be secrets."""
REMOVAL_SECONDS = 30.0


@dataclass(frozen=True)
class Docker:
    """A client whose daemon answers."""

    program: str
    version: str
    """Of the daemon."""
    environment: Mapping[str, str]
    """The client's own."""

    def note(self, folder: Path) -> str:
        """Note in the folder of the runs that there may be containers; its name, the value of their label."""
        root = root_of(folder)
        if not (root / NOTE).exists():
            kept = {name: value for name, value in self.environment.items() if name in _KEPT}
            (root / NOTE).write_text(json.dumps({"program": self.program, "environment": kept}))
        return root.name


def find_docker(search: Search) -> Docker | str:
    """The client, or why there is none. Takes 5 s when the daemon hangs."""
    program = search.program("docker")
    if program is None:
        return "docker is not on PATH"
    answer = search.ask(program, "version", "--format", "{{.Server.Version}}")
    if not answer.ok:
        return f"no daemon answers: {answer.line}"
    return Docker(str(program), answer.line, search.environment)


def root_of(folder: Path) -> Path:
    """The folder of the runs that another one is in."""
    return next((path for path in (folder, *folder.parents) if path.name.startswith(_RUN_FOLDER)), folder)


def remove_containers(folder: Path) -> None:
    """Remove what is left of the containers of the runs in a folder. Does nothing where no run had any."""
    with suppress(OSError, ValueError, KeyError, subprocess.SubprocessError):
        note = json.loads((folder / NOTE).read_text())
        program, environment = note["program"], note["environment"]
        found = _say([program, "ps", "--all", "--quiet", f"--filter=label={LABEL}={folder.name}"], environment)
        if names := found.split():
            _say([program, "rm", "--force", "--volumes", *names], environment)


def _say(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=REMOVAL_SECONDS,
        check=False,
        text=True,
    )
    return done.stdout
