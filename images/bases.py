"""The local stand-ins for public base images: what each is made of, and how its folder is filled.

Each base has the paths that its public counterpart has, as far as the Dockerfiles use them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from images import debian, influxd, java, packages
from images.debian import Pick

SHELL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_MODULES = ("images/debian.py", "images/packages.py", "images/rootfs.py")

# Fills the given folder; the second path is scratch space.
Fill = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Base:
    """`public` is the reference Docker pulls; `fill` makes the local one.

    Its key covers `recipe` (a text) and the contents of `inputs` (repository paths).
    """

    name: str
    public: str
    fill: Fill
    inputs: tuple[str, ...]
    recipe: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": SHELL_PATH})
    needs: tuple[str, ...] = ("mmdebstrap", "chroot")


def _from_debian(name: str, public: str, wanted: Pick, path: str = SHELL_PATH) -> Base:
    def fill(target: Path, scratch: Path) -> None:
        root = scratch / "debian"
        debian.unpack((*wanted.packages, "busybox"), root)
        debian.pick(root, wanted, target)
        debian.add_shell(root, target)
        packages.note(root, target, also=("ca-certificates",) if wanted.authorities else ())

    return Base(name, public, fill, _MODULES, recipe=repr(wanted), environment={"PATH": path})


def _java(target: Path, scratch: Path) -> None:
    root = scratch / "debian"
    debian.unpack(("busybox", "zlib1g"), root)
    java.add_runtime(root)
    debian.pick(root, Pick(packages=(), keep=("opt/java/openjdk",)), target)
    debian.add_shell(root, target)
    packages.note(root, target)


_REDIS = Pick(packages=("redis-server",), keep=("usr/bin/redis-server", "usr/bin/redis-cli"))

_POSTGRES_PROGRAMS = ("postgres", "initdb", "pg_isready", "psql", "pg_dump", "pg_restore")
_POSTGRES = Pick(
    packages=("postgresql-15", "libc-bin"),
    keep=(
        *(f"usr/lib/postgresql/15/bin/{name}" for name in _POSTGRES_PROGRAMS),
        "usr/lib/postgresql/15/lib/*.so",
        "usr/share/postgresql/15",
        "usr/share/zoneinfo",
        "usr/lib/locale/C.utf8",
    ),
    # Just-in-time compilation would bring all of LLVM, and the tests' queries are short.
    drop=("usr/lib/postgresql/15/lib/llvmjit*", "usr/share/postgresql/15/man", "usr/share/zoneinfo/right"),
    users={"postgres": 70},
)

_PYTHON = Pick(
    packages=("python3", "python3-venv", "ca-certificates", "tzdata", "libc-bin", "libstdc++6", "media-types"),
    keep=(
        "usr/bin/python3.11",
        "usr/lib/python3.11",
        "usr/share/python-wheels",
        "usr/share/zoneinfo",
        "usr/lib/locale/C.utf8",
        "etc/mime.types",
        # What wheels of compiled packages may expect from the system (PEP 600, the manylinux policies).
        *(
            f"usr/lib/*/{library}"
            for library in (
                "libdl.so.2",
                "libgcc_s.so.1",
                "libm.so.6",
                "libpthread.so.0",
                "libresolv.so.2",
                "librt.so.1",
                "libstdc++.so.6",
                "libutil.so.1",
            )
        ),
    ),
    drop=(
        "usr/lib/python3.11/sitecustomize.py",
        "usr/lib/python3.11/idlelib",
        "usr/lib/python3.11/lib2to3",
        "usr/lib/python3.11/pydoc_data",
        "usr/lib/python3.11/test",
        "usr/lib/python3.11/turtle*",
        "usr/share/zoneinfo/right",
    ),
    authorities=True,
    links={"usr/bin/python3": "python3.11", "usr/bin/python": "python3.11"},
)

BASES: dict[str, Base] = {
    base.name: base
    for base in (
        _from_debian("redis", "redis:7-alpine", _REDIS),
        _from_debian("postgres", "postgres:17-alpine", _POSTGRES, path=f"/usr/lib/postgresql/15/bin:{SHELL_PATH}"),
        _from_debian("python", "python:3.12-slim", _PYTHON),
        Base(
            "java",
            "eclipse-temurin:25-jre",
            _java,
            (*_MODULES, "images/java.py"),
            environment={"PATH": f"/opt/java/openjdk/bin:{SHELL_PATH}", "JAVA_HOME": "/opt/java/openjdk"},
        ),
        Base(
            "kafka-libs",
            "apache/kafka:4.1.1",
            java.add_kafka_libraries,
            ("images/java.py", "images/kafka/pom.xml"),
            needs=("mvn", "java"),
        ),
        Base(
            "influxdb",
            "influxdb:2.7",
            influxd.add_influxd,
            ("images/influxd.py", "images/influxdb/go.mod", "images/influxdb/go.sum"),
            needs=("go", "cargo", "cc", "pkg-config"),
        ),
    )
}
