"""All checks, in the order in which they are shown."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.cli.doctor.machine import check_machine
from seatrial.cli.doctor.services import SERVICES, check_services
from seatrial.cli.lint.objects import TEST_RUN
from seatrial.cli.manifest import load_all

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.cli.doctor.model import Check
    from seatrial.cli.options import Where


def examine(where: Where, files: Iterable[Path] = (), operator_namespace: str = "") -> list[Check]:
    """Check the machine, the services, and the cluster where there is a kubeconfig or one was asked for.

    `files` are manifests whose services must be there; an empty `operator_namespace` is looked for. Raises
    ManifestError.
    """
    checks = [*check_machine(), *check_services(_needed(files))]
    if where.explicit or operator_namespace or _has_kubeconfig():
        from seatrial.cli.doctor.cluster import check_cluster

        checks += asyncio.run(check_cluster(where, operator_namespace))
    return checks


def _needed(files: Iterable[Path]) -> set[str]:
    found: set[str] = set()
    for manifest in load_all(files):
        spec = manifest.body.get("spec")
        services = spec.get("services") if manifest.kind == TEST_RUN and isinstance(spec, dict) else None
        found |= set(services or ()) & set(SERVICES) if isinstance(services, dict) else set()
    return found


def _has_kubeconfig() -> bool:
    named = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return any(Path(name).expanduser().is_file() for name in named.split(os.pathsep) if name)
