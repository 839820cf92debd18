"""Apache Kafka: the broker knows itself and a controller, and can be written to; seeded by creating the topics."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from seatrial.agent.environment.checks import Check
from seatrial.agent.environment.checks.kafka_topics import create_topics, missing_leader, probe
from seatrial.agent.environment.input import variable
from seatrial.agent.environment.network import Reachability, describe
from seatrial.agent.environment.outcomes import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.agent.environment.input import Service

REQUEST_MILLISECONDS = 4000
"""Less than an attempt may take, so that its message is the client's and not "no answer"."""

# It reports every attempt as an error, and all of them are in the event stream already.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)


class KafkaCheck(Check):
    """Keeps the client that saw the broker ready, for the topics.

    That a record can be written is proven by creating the run's own topics and waiting for their leaders; only a run
    without topics gets a topic for the purpose, which is deleted before the gate opens: a suite must not see it.
    """

    def __init__(self, service: Service, variables: Mapping[str, str]) -> None:
        self._bootstrap = variable(variables, "KAFKA_BOOTSTRAP_SERVERS").split(",")[0]
        self._host, _, port = self._bootstrap.rpartition(":")
        self._port = int(port)
        self._topics = service.topics
        self._created = False
        self._reachable = Reachability(self._host, self._port)
        self._admin: AIOKafkaAdminClient | None = None
        self.expected = f"Kafka metadata with a broker and a controller at {self._bootstrap}"

    async def attempt(self) -> None:
        await self._reachable.check()
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=REQUEST_MILLISECONDS)
        try:
            await admin.start()
            cluster = await admin.describe_cluster()
            if not cluster["brokers"]:
                raise NotReadyError(f"{self._bootstrap} answers, but no broker has registered yet")  # noqa: TRY301
            if cluster["controller_id"] < 0:
                raise NotReadyError(f"{self._bootstrap} answers, but has no controller yet")  # noqa: TRY301
        except BaseException as error:
            await admin.close()
            if isinstance(error, KafkaError | OSError):
                raise self._not_ready(error) from None
            raise
        self._admin = admin

    async def seed(self) -> None:
        if self._admin is None:
            raise RuntimeError("Kafka is seeded before it is ready")
        try:
            if not self._topics:
                await probe(self._admin, self._bootstrap, REQUEST_MILLISECONDS)
                return
            if not self._created:
                await create_topics(self._admin, self._topics)
                self._created = True
            if missing := await missing_leader(self._admin, self._topics):
                raise NotReadyError(missing)
        except (KafkaError, OSError) as error:
            raise self._not_ready(error) from None

    async def close(self) -> None:
        if self._admin is not None:
            await self._admin.close()

    def _not_ready(self, error: KafkaError | OSError) -> NotReadyError:
        if isinstance(error, asyncio.TimeoutError):
            # The client goes on to the address that the broker advertises, which need not be the one it was given.
            return NotReadyError(
                f"Kafka at {self._bootstrap} or at the address that it advertises did not answer in time"
            )
        if isinstance(error, OSError):
            return NotReadyError(describe(error, self._host, self._port))
        return NotReadyError(f"Kafka at {self._bootstrap}: {error or type(error).__name__}")
