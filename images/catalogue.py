"""Which images there are and what each is built from. A new one is one entry here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from images.bases import BASES
from images.errors import ImageError


@dataclass(frozen=True)
class Image:
    """`bases` maps a Dockerfile's build argument to a base (images/bases.py) or to another image of this catalogue.

    `inputs` are paths of the repository that the build may see, besides the Dockerfile's folder. An image that is not
    archived only serves as a base of others.
    """

    name: str
    tag: str
    dockerfile: str
    bases: Mapping[str, str]
    inputs: tuple[str, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    archived: bool = True

    @property
    def folder(self) -> str:
        return f"images/{self.dockerfile}"

    def reference(self, prefix: str) -> str:
        return f"{prefix}/{self.name}:{self.tag}"


# Build stages that make a virtual environment share these steps.
_INSTALLER = ("images/venv",)


def service(name: str) -> Image:
    """A bundled service: the Python package suites/<name> with the locked requirements/<name>.lock."""
    return Image(
        name,
        "dev",
        "service",
        {"BASE": "python"},
        inputs=(*_INSTALLER, f"requirements/{name}.lock", f"suites/{name}"),
        arguments={"NAME": name, "MODULE": name.replace("-", "_")},
        network=True,
    )


def suite_tests(name: str) -> Image:
    """The tests of suites/<name> on the default suite image."""
    return Image(
        f"{name}-tests",
        "dev",
        "suite-tests",
        {"BASE": "suite"},
        inputs=(f"suites/{name}/tests",),
        arguments={"NAME": name},
    )


IMAGES: dict[str, Image] = {
    image.name: image
    for image in (
        Image("redis", "7", "redis", {"BASE": "redis-base"}),
        Image("postgres", "15", "postgres", {"BASE": "postgres-base"}),
        Image("kafka", "4.1", "kafka", {"BASE": "java-base", "LIBS": "kafka-libs-base"}),
        Image("python", "3", "python", {"BASE": "python-base"}, archived=False),
        Image(
            "seatrial",
            "dev",
            "seatrial",
            {"BASE": "python"},
            inputs=(*_INSTALLER, "requirements/operator.lock", "operator", "suites/kit"),
            network=True,
        ),
        Image(
            "suite",
            "dev",
            "suite",
            {"BASE": "python"},
            inputs=(*_INSTALLER, "requirements/suite.lock", "suites/kit"),
            network=True,
        ),
        service("position-manager"),
        suite_tests("position-manager"),
        Image("influxdb", "2.7", "influxdb", {"BASE": "influxdb-base"}),
    )
}


def is_base(name: str) -> bool:
    """Whether a value of `Image.bases` names the stand-in of a public image, rather than an image of the catalogue."""
    return name.removesuffix("-base") in BASES and name.endswith("-base")


def in_build_order(names: list[str]) -> list[Image]:
    """The named images (all, when none is named), each after the images it is built on."""
    ordered: dict[str, Image] = {}

    def add(name: str) -> None:
        if name not in IMAGES:
            raise ImageError(f"there is no image {name!r}. There are: {', '.join(sorted(IMAGES))}.")
        for base in IMAGES[name].bases.values():
            if not is_base(base):
                add(base)
        ordered.setdefault(name, IMAGES[name])

    for name in names or list(IMAGES):
        add(name)
    return list(ordered.values())
