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


def environment(name: str, lock: str) -> Image:
    """A virtual environment with what a lock file lists: a layer that outlives every change of our own code."""
    return Image(
        f"{name}-venv",
        "dev",
        "venv",
        {"BASE": "python", "TOOLS": "python-tools"},
        inputs=(f"requirements/{lock}.lock",),
        arguments={"LOCK": lock},
        network=True,
        archived=False,
    )


def service(name: str) -> tuple[Image, Image]:
    """A bundled service: the Python package suites/<name> with the locked requirements/<name>.lock."""
    bases = {"BASE": f"{name}-venv", "TOOLS": "python-tools"}
    arguments = {"NAME": name, "MODULE": name.replace("-", "_")}
    return environment(name, name), Image(name, "dev", "service", bases, (f"suites/{name}",), arguments)


def suite_tests(name: str) -> Image:
    """The tests of suites/<name> on the default suite image."""
    return Image(f"{name}-tests", "dev", "suite-tests", {"BASE": "suite"}, (f"suites/{name}/tests",), {"NAME": name})


def service_tests(name: str) -> tuple[Image, Image]:
    """The tests of suites/<name> beside the package that they test, with the locked requirements/<name>-suite.lock."""
    bases = {"BASE": f"{name}-suite-venv", "TOOLS": "python-tools"}
    inputs = ("suites/kit", f"suites/{name}", f"suites/{name}/tests", "images/suite")
    return (
        environment(f"{name}-suite", f"{name}-suite"),
        Image(f"{name}-tests", "dev", "service-tests", bases, inputs, {"NAME": name}),
    )


def suite_with_broker(name: str) -> tuple[Image, Image]:
    """The tests of suites/<name>, the package that they test, and a broker for those that break one."""
    bases = {"BASE": f"{name}-suite-venv", "TOOLS": "python-tools", "KAFKA": "kafka"}
    inputs = (f"suites/{name}", f"suites/{name}/tests", "suites/kit")
    tests = Image(f"{name}-tests", "dev", "suite-with-broker", bases, inputs, {"NAME": name})
    return environment(f"{name}-suite", f"{name}-suite"), tests


_TOOLS = {"TOOLS": "python-tools"}

IMAGES: dict[str, Image] = {
    image.name: image
    for image in (
        Image("redis", "7", "redis", {"BASE": "redis-base"}),
        Image("postgres", "15", "postgres", {"BASE": "postgres-base"}),
        Image("kafka", "4.1", "kafka", {"BASE": "java-base", "LIBS": "kafka-libs-base"}),
        Image("influxdb", "2.7", "influxdb", {"BASE": "influxdb-base"}),
        Image("python", "3", "python", {"BASE": "python-base"}, archived=False),
        Image("python-tools", "3", "python-tools", {"BASE": "python"}, network=True, archived=False),
        environment("seatrial", "operator"),
        Image("seatrial", "dev", "seatrial", {"BASE": "seatrial-venv", **_TOOLS}, ("operator", "suites/kit")),
        environment("suite", "suite"),
        Image("suite", "dev", "suite", {"BASE": "suite-venv", **_TOOLS}, ("suites/kit",)),
        *service("alpha-panda"),
        *suite_with_broker("alpha-panda"),
        *service("intelligence-service"),
        suite_tests("intelligence-service"),
        suite_tests("kit"),
        *service("kraken"),
        suite_tests("kraken"),
        *service("position-manager"),
        suite_tests("position-manager"),
        *service("tbot"),
        *service_tests("tbot"),
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
