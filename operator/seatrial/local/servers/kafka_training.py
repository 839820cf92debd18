"""Program: format a broker's log folder and let the JVM record what a broker loads, into the cache.

The entry has `formatted/`, the `java.args` of every later start, and the archive that they name. A Java from 25 on
makes an AOT cache, an earlier one a dynamic CDS archive.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from seatrial.local.addresses import hold_free_port
from seatrial.local.servers import programs
from seatrial.local.servers.cache import making
from seatrial.local.servers.java import QUICK
from seatrial.local.servers.kafka_settings import DATA, PROPERTIES, argument_file, flags, properties
from seatrial.local.servers.programs import PrepareError

CLUSTER_ID = "c2VhdHJpYWwtbG9jYWwtMQ"
READY_SECONDS = 180.0
STOP_SECONDS = 180.0
RECORDS = 200
LOGGING = "log4j2.properties"


@dataclass(frozen=True)
class Training:
    """What is trained, and where: `folder` becomes `entry`."""

    libraries: Path
    java: Path
    feature: int
    entry: Path
    folder: Path

    @property
    def archive(self) -> str:
        return "kafka.aot" if self.feature >= QUICK else "kafka.jsa"

    def arguments(self, folder: Path) -> tuple[str, ...]:
        """Without those about the archive. The class path is in a fixed order: an archive is refused with another."""
        jars = sorted(str(jar) for jar in self.libraries.glob("*.jar"))
        return (*flags(self.feature, folder / LOGGING), "-cp", ":".join(jars))


def main() -> None:
    """Raises CacheError, PrepareError."""
    parser = argparse.ArgumentParser(prog="kafka_training", description=__doc__)
    parser.add_argument("libraries", type=Path)
    parser.add_argument("java", type=Path)
    parser.add_argument("feature", type=int)
    parser.add_argument("entry", type=Path, help="the folder in the cache")
    options = parser.parse_args()
    with making(options.entry) as folder:
        if folder is not None:
            print("Preparing quick starts of Apache Kafka, once for this Java", flush=True)
            train(Training(options.libraries, options.java, options.feature, options.entry, folder))


def train(training: Training) -> None:
    """Fill the folder."""
    source = DATA / LOGGING
    (training.folder / LOGGING).write_text(source.read_text())
    work = training.folder / "work"
    work.mkdir()
    broker, controller = _free_ports()
    own = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "log.dirs": str(work / "log"),
    }
    (work / PROPERTIES).write_text(properties(own))
    _format(training, work)
    _record(training, work, broker)
    shutil.rmtree(work)
    final = training.arguments(training.entry)
    if (training.folder / training.archive).is_file():
        option = "-XX:AOTCache" if training.feature >= QUICK else "-XX:SharedArchiveFile"
        final = (f"{option}={training.entry / training.archive}", *final)
    else:
        print("this Java left no archive: Apache Kafka will take longer to start", flush=True)
    (training.folder / "java.args").write_text(argument_file(final))


def _format(training: Training, work: Path) -> None:
    tool = ("kafka.tools.StorageTool", "format", "--config", PROPERTIES, "--cluster-id", CLUSTER_ID)
    command = (training.java, *training.arguments(training.folder), *tool)
    programs.run(command, doing="formatting Apache Kafka's log folder", cwd=work)
    programs.run(("cp", "-R", work / "log", training.folder / "formatted"), doing="copying the formatted log folder")


def _record(training: Training, work: Path, port: int) -> None:
    """Start a broker, use it as tests do, and stop it: the JVM writes the archive on its way out."""
    option = "-XX:AOTCacheOutput" if training.feature >= QUICK else "-XX:ArchiveClassesAtExit"
    archive = training.folder / training.archive
    command = [
        str(training.java),
        f"{option}={archive}",
        *training.arguments(training.folder),
        "kafka.Kafka",
        PROPERTIES,
    ]
    log = work / "broker.log"
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        broker = subprocess.Popen(command, cwd=work, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        stack.callback(broker.wait)
        stack.callback(broker.kill)
        try:
            asyncio.run(asyncio.wait_for(_use(broker, f"127.0.0.1:{port}"), READY_SECONDS))
            broker.send_signal(signal.SIGTERM)
            broker.wait(STOP_SECONDS)
        except (TimeoutError, ConnectionError, subprocess.TimeoutExpired) as error:
            said = programs.last_lines(log.read_text(errors="replace"))
            raise PrepareError(
                f"Apache Kafka on {training.java} {_why(broker, error)}. Its last words:\n{said}"
            ) from None


def _why(broker: subprocess.Popen[bytes], error: Exception) -> str:
    if broker.poll() is not None:
        return f"ended by itself ({programs.ended(broker.returncode)})"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"did not stop within {STOP_SECONDS:g} s"
    return f"was not ready within {READY_SECONDS:g} s"


async def _use(broker: subprocess.Popen[bytes], address: str) -> None:
    # Imported here: it takes a tenth of a second.
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # noqa: PLC0415
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)
    while True:
        producer = AIOKafkaProducer(bootstrap_servers=address)
        try:
            await producer.start()
            break
        except KafkaError:
            await producer.stop()
            if broker.poll() is not None:
                raise ConnectionError from None
            await asyncio.sleep(0.1)
    for _ in range(RECORDS):
        await producer.send_and_wait("training", b"record")
    await producer.stop()
    consumer = AIOKafkaConsumer(
        "training", bootstrap_servers=address, group_id="training", auto_offset_reset="earliest"
    )
    await consumer.start()
    for _ in range(RECORDS):
        await consumer.getone()
    await consumer.commit()
    await consumer.stop()


def _free_ports() -> tuple[int, int]:
    with hold_free_port() as first, hold_free_port() as second:
        return first.getsockname()[1], second.getsockname()[1]


if __name__ == "__main__":
    programs.main(main)
