"""Apache Kafka: an unpacked distribution, or its jars by Maven, on a Java runtime that is there.

The first start of a combination of jars and Java trains the JVM (see kafka_training.py); later ones use what it left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.local.servers import programs
from seatrial.local.servers.cache import key
from seatrial.local.servers.java import Java, find_java
from seatrial.local.servers.kafka_settings import DATA, PROPERTIES, properties
from seatrial.local.servers.model import Launch, Unfit, Wanted, matches, ordered

if TYPE_CHECKING:
    from seatrial.local.servers.search import Search

OLDEST = (4,)
"""Earlier ones do not run on the Java of today."""
MAKING = "1"
"""Changes with how the training is done."""
_START = ("kafka-server-start", "kafka-server-start.sh")
_JAR = re.compile(r"kafka_[0-9.]+-([0-9.]+)\.jar")
_POM_VERSION = re.compile(r"<kafka\.version>([^<]+)<")


@dataclass(frozen=True)
class Libraries:
    """A broker's jars."""

    folder: Path
    identity: str
    """Changes with the jars."""
    provider: str
    prepare: tuple[tuple[str, ...], ...] = ()


def installed(wanted: Wanted, search: Search) -> Launch | Unfit:
    """KAFKA_HOME, else the distribution to which `kafka-server-start` on PATH belongs."""
    if home := search.environment.get("KAFKA_HOME"):
        return _distribution(wanted, search, [Path(home, "libs")], f"KAFKA_HOME ({home})")
    for name in _START:
        if program := search.program(name):
            real = program.resolve()
            homes = [*real.parents[1:3], real.parents[1] / "libexec"]
            return _distribution(wanted, search, [home / "libs" for home in homes], f"{name} on PATH")
    return Unfit("an unpacked Apache Kafka", f"KAFKA_HOME is not set, and {_START[0]} is not on PATH")


def from_maven(wanted: Wanted, search: Search) -> Launch | Unfit:
    """The jars of this package's pom.xml: from the cache, else Maven fetches them (10 to 60 s, once)."""
    provider = "Apache Kafka's jars by Maven"
    pom = DATA / "pom.xml"
    text = pom.read_text()
    match = _POM_VERSION.search(text)
    version = match[1] if match else ""
    if not matches(wanted.version, version):
        return Unfit(provider, f"are {version}, wanted is {wanted.version}")
    entry = search.cache / f"kafka-{version}-{key(text)}"
    fetch: tuple[tuple[str, ...], ...] = ()
    if not entry.is_dir():
        maven = search.program("mvn")
        if maven is None:
            return Unfit(provider, "mvn is not on PATH, and no earlier run has left the jars in the cache")
        fetch = (programs.program("kafka_jars", pom, entry, maven, *(["--offline"] if search.offline else [])),)
    return _launch(wanted, search, Libraries(entry, key(text), f"Apache Kafka {version} (jars by Maven)", fetch))


def _distribution(wanted: Wanted, search: Search, folders: list[Path], provider: str) -> Launch | Unfit:
    for folder in folders:
        for jar in sorted(folder.glob("kafka_*.jar")):
            if version := _JAR.fullmatch(jar.name):
                return _checked(wanted, search, folder, version[1], provider)
    return Unfit(provider, f"there is no kafka_*.jar in {folders[0]}")


def _checked(wanted: Wanted, search: Search, folder: Path, version: str, provider: str) -> Launch | Unfit:
    if ordered(version) < OLDEST:
        return Unfit(provider, f"is {version}, wanted is {OLDEST[0]}.0 or later")
    if not matches(wanted.version, version):
        return Unfit(provider, f"is {version}, wanted is {wanted.version}")
    jars = [(jar.name, jar.stat()) for jar in sorted(folder.glob("*.jar"))]
    identity = key(str(folder.resolve()), *(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in jars))
    return _launch(wanted, search, Libraries(folder, identity, f"Apache Kafka {version} of {provider}"))


def _launch(wanted: Wanted, search: Search, libraries: Libraries) -> Launch | Unfit:
    java = find_java(search)
    if isinstance(java, Unfit):
        return Unfit(libraries.provider, java.why)
    trained = search.cache / f"kafka-start-{key(MAKING, libraries.identity, java.identity, properties({}))}"
    train = programs.program("kafka_training", libraries.folder, java.program, java.feature, trained)
    arguments = (f"@{trained}/java.args", f"-Djava.io.tmpdir={wanted.folder}", "kafka.Kafka", PROPERTIES)
    return Launch(
        command=(str(java.program), *arguments),
        env=_environment(search, java),
        folder=wanted.folder,
        provider=f"{libraries.provider} on Java {java.version} of {java.origin}",
        prepare=(
            *libraries.prepare,
            *(() if trained.is_dir() else (train,)),
            ("cp", "-R", f"{trained}/formatted", "log"),
        ),
        files={PROPERTIES: properties(_overrides(wanted))},
    )


def _overrides(wanted: Wanted) -> dict[str, str]:
    broker = f"PLAINTEXT://{wanted.address.host}:{wanted.address.port}"
    controller = f"{wanted.address.host}:{wanted.extra_ports['controller']}"
    return {
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"{broker},CONTROLLER://{controller}",
        "advertised.listeners": broker,
        "log.dirs": f"{wanted.folder}/log",
        "auto.create.topics.enable": wanted.options.get("KAFKA_AUTO_CREATE_TOPICS", "true"),
    }


def _environment(search: Search, java: Java) -> dict[str, str]:
    """Maven, a Java program too, gets this runtime when it would find none."""
    environment = programs.environment(search.environment)
    if not environment.get("JAVA_HOME") and search.program("java") is None:
        environment["JAVA_HOME"] = str(java.program.parents[1])
    return environment
