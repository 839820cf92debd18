"""`python3 -m hack.install.digests`: chart values that name the built images by digest instead of by tag."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from hack.cluster.oci import read_archive
from images.build import Workshop
from images.builders import builder_for
from images.errors import ImageError
from images.settings import from_environment

TAGS = Path(__file__).parent / "values-local.yaml"


def by_digest() -> dict[str, Any]:
    """The values of values-local.yaml with a digest for each tag. Raises ImageError for an image that is not built."""
    values: dict[str, Any] = yaml.safe_load(TAGS.read_text())
    digests = _digests()

    def pinned(reference: str) -> str:
        if reference not in digests:
            raise ImageError(f"{reference} is not built: python3 -m images build")
        return f"{reference}@{digests[reference]}"

    for name in ("agent", "suite"):
        values["images"][name] = pinned(values["images"][name])
    for entry in values["catalogue"].values():
        entry["versions"] = {key: image and pinned(image) for key, image in entry["versions"].items()}
    return values


def _digests() -> dict[str, str]:
    settings = from_environment()
    archives = Workshop(settings, builder_for(settings), lambda _: None).archives([])
    return {image.reference: image.digest for item in archives if item.exists for image in read_archive(item.path)}


if __name__ == "__main__":
    try:
        print(yaml.safe_dump(by_digest(), sort_keys=False), end="")
    except ImageError as error:
        sys.exit(f"error: {error}")
