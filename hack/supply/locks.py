"""What lock files list."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
_PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*(\[[\w,-]+\])?)==(?P<version>[^\s;\\]+)\s*(;\s*(?P<marker>[^\\]+))?\\?$"
)


class Pin(NamedTuple):
    """One locked package."""

    name: str
    """Normalised, without extras."""
    version: str
    marker: str
    hashes: int


def read(path: Path) -> list[Pin]:
    """The packages of a lock file. Raises ValueError for a line that pins nothing."""
    pins: list[Pin] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.strip().startswith("--hash=sha256:"):
            pins[-1] = pins[-1]._replace(hashes=pins[-1].hashes + 1)
            continue
        found = _PIN.match(line)
        if found is None:
            raise ValueError(f"{path.name}: {line!r} pins no version")
        name = re.sub(r"[-_.]+", "-", found["name"].partition("[")[0]).lower()
        pins.append(Pin(name, found["version"], (found["marker"] or "").strip(), 0))
    return pins
