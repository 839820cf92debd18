"""What `kubectl apply` leaves out of a spec before the API server can see it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from seatrial.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.spec import Services

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def refuse_dropped_services(metadata: Mapping[str, Any], services: Services) -> None:
    """Refuse a run that lacks a service which its author wrote.

    Client-side `kubectl apply` removes every null from what it sends, so `redis:` never arrives (`kubectl create` and
    server-side apply send it). Its annotation still tells. Raises SpecError.
    """
    try:
        applied = json.loads((metadata.get("annotations") or {}).get(LAST_APPLIED, "{}"))
        written = applied["spec"]["services"].items()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # nothing was applied, or not by kubectl
    present = services.model_dump(by_alias=True)
    for name, value in written:
        if value is None and name not in present:
            raise SpecError(
                f"spec.services.{name}: nothing was written after it, and kubectl apply does not send such a member: "
                f"write `{name}: {{}}` in a new TestRun, or use kubectl apply --server-side"
            )
