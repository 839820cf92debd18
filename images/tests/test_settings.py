from pathlib import Path

import pytest

from images.errors import ImageError
from images.settings import from_environment


def test_cache_and_prefix_come_from_the_environment() -> None:
    settings = from_environment({"SEATRIAL_CACHE": "/c", "SEATRIAL_IMAGE_PREFIX": "localhost/mine/"})
    assert (settings.cache, settings.prefix, settings.archives) == (
        Path("/c/images"),
        "localhost/mine",
        Path("/c/images/archives"),
    )


def test_cache_lies_in_the_users_cache_folder() -> None:
    assert from_environment({"XDG_CACHE_HOME": "/x"}).cache == Path("/x/seatrial/images")
    assert from_environment({}).cache == Path.home() / ".cache/seatrial/images"
    assert from_environment({}).prefix == "localhost/seatrial"


def test_unknown_builder_is_refused_by_name() -> None:
    with pytest.raises(ImageError, match="BUILDER is 'kaniko', expected 'buildah' or 'docker'"):
        from_environment({"BUILDER": "kaniko"})
