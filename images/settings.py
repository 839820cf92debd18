"""Where things are kept and which builder is used; read from the environment once."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from images.errors import ImageError

REPOSITORY = Path(__file__).resolve().parent.parent

# Every file in a layer carries this time (2000-01-01), so that equal inputs give equal digests. Not 0: zip files cannot
# hold years before 1980.
EPOCH = 946684800

Builder = Literal["buildah", "docker"]


@dataclass(frozen=True)
class Settings:
    """`cache` is private to this package: archives, the builder's storage, scratch space."""

    prefix: str
    cache: Path
    builder: Builder

    @property
    def archives(self) -> Path:
        return self.cache / "archives"


def from_environment(environment: dict[str, str] | None = None) -> Settings:
    """Read SEATRIAL_IMAGE_PREFIX, SEATRIAL_CACHE (or XDG_CACHE_HOME), BUILDER and CLUSTER."""
    env = dict(os.environ) if environment is None else environment
    root = env.get("SEATRIAL_CACHE") or str(Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seatrial")
    wanted = env.get("BUILDER") or ("docker" if env.get("CLUSTER") == "kind" else "buildah")
    builder: Builder
    if wanted == "docker":
        builder = "docker"
    elif wanted == "buildah":
        builder = "buildah"
    else:
        raise ImageError(f"BUILDER is {wanted!r}, expected 'buildah' or 'docker'. Unset it, or set one of the two.")
    return Settings(
        prefix=(env.get("SEATRIAL_IMAGE_PREFIX") or "localhost/seatrial").rstrip("/"),
        cache=Path(root).absolute() / "images",
        builder=builder,
    )
