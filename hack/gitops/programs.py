"""Building the two programs, once per set of inputs, and asking them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hack.cluster.build import GoModule, build

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object = dict[str, Any]

FOLDER = Path(__file__).parent
ARGOCD = GoModule("argocd", "github.com/argoproj/argo-cd/v3", {"argocd": "."}, folder=FOLDER)
FLUX = GoModule("flux", "github.com/fluxcd/pkg/ssa", {"flux": "."}, folder=FOLDER)


class GitOpsError(Exception):
    """A program could not answer."""


_built: dict[str, Path] = {}


def path_of(module: GoModule) -> Path:
    """The path of a program; it is built when it is missing, which takes minutes the first time."""
    if module.name not in _built:
        _built.update(build((module,)))
    return _built[module.name]


def ask(
    module: GoModule,
    *arguments: str,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    seconds: float = 300,
) -> list[Object]:
    """Run a program; the objects that it prints, one a line. Raises GitOpsError with what it said."""
    done = subprocess.run(
        [str(path_of(module)), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise GitOpsError(f"{module.name} {' '.join(arguments)} exited with {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def lines(objects: Iterable[Object]) -> str:
    """Objects as a program reads them."""
    return "\n".join(json.dumps(item) for item in objects)
