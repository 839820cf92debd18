"""Names by chance, as Kubernetes makes them of `generateName`."""

from __future__ import annotations

import secrets

MAX_PREFIX = 247
"""With five letters and what may stand between them a name has at most 253 characters."""
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Those that Kubernetes uses, which make no words."""


def generated_name(prefix: str) -> str:
    """The prefix and five letters by chance. Made here, so that a request that is repeated creates no second object."""
    return prefix[:MAX_PREFIX] + "".join(secrets.choice(_LETTERS) for _ in range(5))
