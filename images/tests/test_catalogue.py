import re

import pytest

from images.bases import BASES
from images.catalogue import IMAGES, in_build_order, is_base
from images.errors import ImageError
from images.keys import source_files
from images.settings import REPOSITORY

ARGUMENT = re.compile(r"^ARG (\w+)", re.MULTILINE)


def test_images_are_built_after_what_they_stand_on() -> None:
    names = [image.name for image in in_build_order(["position-manager-tests"])]
    assert names == ["python", "python-tools", "suite-venv", "suite", "position-manager-tests"]
    assert {image.name for image in in_build_order([])} == set(IMAGES)


def test_unknown_image_is_refused_with_what_there_is() -> None:
    with pytest.raises(ImageError, match=r"no image 'reddis'. There are: .*redis"):
        in_build_order(["reddis"])


@pytest.mark.parametrize("name", IMAGES)
def test_entry_agrees_with_its_dockerfile(name: str) -> None:
    image = IMAGES[name]
    text = (REPOSITORY / image.folder / "Dockerfile").read_text()
    assert set(ARGUMENT.findall(text)) == {*image.bases, *image.arguments}
    for base in image.bases.values():
        assert is_base(base) or base in IMAGES
    for path in image.inputs:
        assert (REPOSITORY / path).exists(), f"{path} is an input of {name}"
    copied = {
        source for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for source in line.split()
    }
    visible = (image.folder, *image.inputs)
    for source in copied:
        filled = re.sub(r"\$\{(\w+)\}", lambda match: image.arguments[match[1]], source)
        assert any(filled == path or filled.startswith(f"{path}/") for path in visible), f"{name} copies {filled}"
        # Tests below an input are left out, unless they are an input themselves.
        there = source_files(REPOSITORY, visible)
        assert any(path.is_relative_to(REPOSITORY / filled) for path in there), f"{name} copies {filled}"


@pytest.mark.parametrize("name", IMAGES)
def test_public_base_is_the_dockerfiles_default(name: str) -> None:
    """`docker build` by hand gives what the catalogue builds."""
    image = IMAGES[name]
    text = (REPOSITORY / image.folder / "Dockerfile").read_text()
    for argument, base in image.bases.items():
        if image.dockerfile in {"service", "service-tests"} and argument == "BASE":
            continue  # serves several images, each with an environment of its own
        expected = (
            BASES[base.removesuffix("-base")].public if is_base(base) else IMAGES[base].reference("localhost/seatrial")
        )
        assert f"ARG {argument}={expected}\n" in text


@pytest.mark.parametrize("name", IMAGES)
def test_image_runs_as_a_numbered_user_who_is_not_root(name: str) -> None:
    """Pod Security's `restricted` refuses names and 0; an image without USER has its base's."""
    image = IMAGES[name]
    users = re.findall(
        r"^USER (.+)$", (REPOSITORY / image.folder / "Dockerfile").read_text().rpartition("\nFROM ")[2], re.MULTILINE
    )
    if users:
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    else:
        assert not is_base(image.bases["BASE"])
