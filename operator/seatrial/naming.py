"""Every name, label and annotation. Deterministic and never longer than Kubernetes allows."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUP = "seatrial.dev"
MANAGER = "seatrial"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
RUN_LABEL = f"{GROUP}/run"
RUN_NAMESPACE_LABEL = f"{GROUP}/run-namespace"
"""The TestRun's namespace; the object itself is in another one."""
RUN_UID_LABEL = f"{GROUP}/run-uid"
COMPONENT_LABEL = f"{GROUP}/component"
NAME_LABEL = f"{GROUP}/name"
RUN_ANNOTATION = f"{GROUP}/run"
RUN_NAMESPACE_ANNOTATION = f"{GROUP}/run-namespace"
TOUCHED_ANNOTATION = f"{GROUP}/touched-at"
"""Nobody reads it: a change is made to be seen by watches."""
RUN_UID_ANNOTATION = f"{GROUP}/run-uid"
SHARD_LABEL = "batch.kubernetes.io/job-completion-index"

FINALIZER = f"{GROUP}/cleanup"
FIELD_MANAGER = "seatrial"

CONNECTION_SECRET = "connection"  # noqa: S105  (a name, not a secret)
ENVIRONMENT = "environment"
INPOD_CONFIG_MAP = "inpod"
OPERATOR_ROLE = "seatrial-run"
"""The ClusterRole with what the operator does inside of a run's namespace, and only there."""
OPERATOR_BINDING = "seatrial-operator"
READ_SECRETS_ROLE = "seatrial-read-secrets"
"""The ClusterRole that a namespace's owner binds to the operator, there, so that its runs may name Secrets."""
STATUS_CONFIG_MAP = "seatrial-status"
"""In the operator's own namespace: what it has found out about the cluster."""
GATE_PORT = 8377
SUITE_CONTAINER = "suite"
RELAY_CONTAINER = "relay"

MAX_LABEL = 63
_HASHED = re.compile(r".*-[0-9a-f]{8}")
"""A name that could be one of ours, cut. It is hashed too, so that nobody can make two names the same."""


@dataclass(frozen=True)
class RunId:
    """Which TestRun: names can be used again, the uid cannot."""

    name: str
    namespace: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def digest(text: str, length: int = 10) -> str:
    """Hexadecimal digest of a text, for names."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def as_label(text: str, limit: int = MAX_LABEL) -> str:
    """Turn an object's name (dots, up to 253 characters) into a DNS label; a hash keeps different names different."""
    if "." not in text and len(text) <= limit and not _HASHED.fullmatch(text):
        return text
    return f"{text.replace('.', '-')[: limit - 9].rstrip('-')}-{digest(text, 8)}"


def run_namespace(run: RunId) -> str:
    """The namespace of a run's environment: unique by uid, readable by name."""
    return f"seatrial-{as_label(run.name, 43)}-{digest(run.uid)}"


def is_environment_of(namespace: str, uid: str) -> bool:
    """Whether a namespace has the name of a run's environment: anybody can put a run's uid into a label."""
    return namespace.startswith("seatrial-") and namespace.endswith(f"-{digest(uid)}")


def suite_job(suite: str) -> str:
    return f"suite-{suite}"


def copied_config_map(name: str) -> str:
    return as_label(f"configmap-{name}")


def copied_secret(name: str) -> str:
    return as_label(f"secret-{name}")


def slice_name(run: RunId, suite: str, shard: int, number: int) -> str:
    """A TestResultSlice's name: it lives beside the TestRun, so the run's uid must be part of it."""
    return f"{as_label(run.name, 40)}-{digest(f'{run.uid}/{suite}/{shard}')}-{number}"


def finalizer_of(namespaces: Sequence[str]) -> str:
    """The finalizer of an operator that looks after some namespaces: kopf removes one that it does not need itself."""
    return FINALIZER if tuple(namespaces) == ("*",) else f"{FINALIZER}-{digest(' '.join(sorted(namespaces)))}"


def run_labels(run: RunId) -> dict[str, str]:
    return {
        MANAGED_BY_LABEL: MANAGER,
        RUN_LABEL: as_label(run.name),
        RUN_NAMESPACE_LABEL: run.namespace,
        RUN_UID_LABEL: run.uid,
    }


def selector_of(namespaces: Sequence[str]) -> str:
    """Label selector of the objects of the runs of some namespaces, of all where the names are patterns."""
    ours = f"{MANAGED_BY_LABEL}={MANAGER},{RUN_UID_LABEL}"
    if any(character in name for name in namespaces for character in "*?["):
        return ours
    return f"{ours},{RUN_NAMESPACE_LABEL} in ({','.join(sorted(namespaces))})"


def component_labels(run: RunId, component: str, name: str) -> dict[str, str]:
    return {**run_labels(run), COMPONENT_LABEL: component, NAME_LABEL: name}


def event_name(run: RunId, reason: str, message: str) -> str:
    """Name of an Event: the same for the same news."""
    return f"{run.name[:200].rstrip('-.')}.{digest(f'{run.uid} {reason} {message}')}"
