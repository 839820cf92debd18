"""What Argo CD, Flux and Helm make of TestRuns: their own libraries, with the health checks of the examples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from hack.gitops.programs import ARGOCD, FLUX, ask, lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Object = dict[str, Any]

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "gitops"
ARGOCD_CM = str(EXAMPLES / "argocd-cm.yaml")
KUSTOMIZATION = str(EXAMPLES / "flux-kustomization.yaml")


class Judgement(NamedTuple):
    """One object as three tools see it."""

    kstatus: str
    """Of Flux without a health check expression, and of Helm."""
    flux: str
    """By the health check expressions."""
    argocd: str
    kstatus_message: str = ""
    argocd_message: str = ""

    @property
    def words(self) -> tuple[str, str, str]:
        return self.kstatus, self.flux, self.argocd


def judge(objects: Sequence[Object]) -> list[Judgement]:
    """What becomes of each object."""
    stdin = lines(objects)
    flux = ask(FLUX, "health", KUSTOMIZATION, stdin=stdin)
    argocd = ask(ARGOCD, "health", ARGOCD_CM, stdin=stdin)
    return [
        Judgement(one["status"], one["expressions"], other.get("status", ""), one["message"], other.get("message", ""))
        for one, other in zip(flux, argocd, strict=True)
    ]


def has_drifted(manifest: Object, live: Object) -> bool:
    """Whether Argo CD calls it OutOfSync."""
    answer = ask(ARGOCD, "diff", stdin=lines([{"config": manifest, "live": live}]))
    return bool(answer[0]["modified"])


def sync(manifests: Sequence[Object], namespace: str) -> dict[str, Object]:
    """An Argo CD sync of an Application, hooks and all: how each object fared, by its name."""
    text = yaml.safe_dump_all(manifests)
    answer = ask(ARGOCD, "sync", ARGOCD_CM, namespace, stdin=text, environment=_environment())
    return {item["Name"]: item for item in answer}


def reconcile(manifests: Sequence[Object], namespace: str) -> Object:
    """A reconciliation of a Flux Kustomization that waits: what was changed, whether it is ready, and what it says."""
    text = yaml.safe_dump_all(manifests)
    return ask(FLUX, "reconcile", KUSTOMIZATION, namespace, stdin=text, environment=_environment())[0]


def _environment() -> Mapping[str, str]:
    return {"KUBECONFIG": str(ROOT / ".cluster" / "kubeconfig"), **os.environ}
