"""Is Kafka there, and are the topics?"""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

from seatrial_kit.kafka.config import KafkaTestConfig
from seatrial_kit.missing import MissingServiceError, client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BACKOFF = 1.5
CONNECT_SECONDS = 5.0


def verify_kafka_connectivity(bootstrap_servers: str | None = None, timeout_seconds: float = CONNECT_SECONDS) -> bool:
    """Whether a broker answers in time."""
    try:
        check_kafka(bootstrap_servers or KafkaTestConfig.BOOTSTRAP_SERVERS, timeout_seconds)
    except MissingServiceError:
        return False
    return True


def check_kafka(bootstrap_servers: str, timeout_seconds: float = CONNECT_SECONDS) -> None:
    """Raises MissingServiceError unless the cluster tells its brokers."""
    kafka = client("kafka", "kafka")
    clients = client("seatrial_kit.kafka.clients", "kafka")
    try:
        _connect(bootstrap_servers, timeout_seconds)
        with closing(clients.admin(bootstrap_servers, timeout_seconds)) as admin:
            brokers = admin.describe_cluster()["brokers"]
    except (kafka.errors.KafkaError, OSError) as error:
        raise MissingServiceError(
            f"Kafka at {bootstrap_servers}: no answer within {timeout_seconds:g} s ({type(error).__name__}: {error}); "
            "KAFKA_BOOTSTRAP_SERVERS or TEST_KAFKA_BOOTSTRAP_SERVERS names another one"
        ) from error
    if not brokers:
        raise MissingServiceError(f"Kafka at {bootstrap_servers}: the cluster has no brokers")


def _connect(bootstrap_servers: str, timeout_seconds: float) -> None:
    """To the first server that accepts. A client that cannot connect leaves sockets and a thread behind; this does not.

    Raises OSError: that of the last one.
    """
    error: OSError | None = None
    for server in bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout_seconds):
                return
        except OSError as refused:
            error = refused
        except ValueError:
            error = OSError(f"{server!r} is not host:port")
    raise error or OSError("there are no bootstrap servers")


def wait_for_kafka(
    max_retries: int = 10,
    delay_seconds: float = 2,
    bootstrap_servers: str | None = None,
    verify: Callable[[str | None], bool] = verify_kafka_connectivity,
) -> bool:
    """Try up to so many times; after each try the delay is 1.5 times as long. Returns whether Kafka is there."""
    tenacity = client("tenacity", "kafka")
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(max_retries),
        wait=tenacity.wait_exponential(multiplier=delay_seconds, exp_base=BACKOFF),
        retry=tenacity.retry_if_result(lambda there: not there),
        retry_error_callback=lambda _: False,
    )
    return bool(attempts(verify, bootstrap_servers))


def create_test_topics(
    topics: Iterable[str] | None = None,
    num_partitions: int = 1,
    replication_factor: int = 1,
    config: type[KafkaTestConfig] = KafkaTestConfig,
) -> list[str]:
    """Make those topics (the default ones) that are not there, and wait until all have leaders. Returns what was made.

    Two sessions may do so at once.
    """
    clients = client("seatrial_kit.kafka.clients", "kafka")
    errors = client("kafka.errors", "kafka")
    wanted = list(config.DEFAULT_TOPICS.values() if topics is None else topics)
    made = []
    with closing(clients.admin(config.BOOTSTRAP_SERVERS)) as admin:
        options = {"num_partitions": num_partitions, "replication_factor": replication_factor}
        for topic in sorted(set(wanted) - set(admin.list_topics())):
            try:
                admin.create_topics({topic: options})
            except errors.TopicAlreadyExistsError:
                continue
            made.append(topic)
        admin.wait_for_topics(wanted)
    return made
