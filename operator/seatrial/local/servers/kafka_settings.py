"""A broker's settings, and the flags of its JVM: those of the image (images/kafka), which a test compares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DATA = Path(__file__).parent / "data"
PROPERTIES = "server.properties"
UNSAFE_FLAG = 24
"""First Java that knows --sun-misc-unsafe-memory-access, and warns without it."""

FLAGS = (
    "-Xms64m",
    "-Xmx128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:ReservedCodeCacheSize=48m",
    "-XX:-UsePerfData",
    # The archive is mapped where it was recorded: moving it would touch all of it at every start.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:ArchiveRelocationMode=0",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dlog4j2.StatusLogger.level=OFF",
)


def settings() -> dict[str, str]:
    """The settings that all brokers share."""
    lines = (DATA / PROPERTIES).read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def properties(own: Mapping[str, str]) -> str:
    """The content of server.properties, with what one broker has of its own."""
    return "".join(f"{name}={_escaped(value)}\n" for name, value in {**settings(), **own}.items())


def flags(feature: int, logging: Path) -> tuple[str, ...]:
    """For a Java of that feature version (17, 25); `logging` is the configuration for Log4j 2."""
    native = ("--enable-native-access=ALL-UNNAMED",)
    unsafe = ("--sun-misc-unsafe-memory-access=allow",) if feature >= UNSAFE_FLAG else ()
    return (*FLAGS, f"-Dlog4j2.configurationFile={logging}", *native, *unsafe)


def argument_file(arguments: Sequence[str]) -> str:
    """What `java @file` reads: one argument a line, quoted."""
    return "".join('"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"\n' for argument in arguments)


def _escaped(value: str) -> str:
    """A backslash of a path is no escape."""
    return value.replace("\\", "\\\\")
