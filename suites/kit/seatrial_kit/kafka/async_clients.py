"""aiokafka's producer as the fixture hands it out. Imported when a test asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer

from seatrial_kit.events import encode

if TYPE_CHECKING:
    from seatrial_kit.kafka.config import KafkaTestConfig

UNKNOWN: Final = ("retries", "max_in_flight_requests_per_connection")
"""Of KafkaProducer's arguments. aiokafka tries again until the request's time is over, and keeps the order anyway."""


class AsyncProducer(AIOKafkaProducer):  # type: ignore[misc]  # the library has no types
    """A producer whose `flush` fails if a record was not acknowledged. The library's own one only waits."""

    def __init__(self, **configs: Any) -> None:
        self._sent: list[Any] = []
        super().__init__(**configs)

    async def send(self, *args: Any, **kwargs: Any) -> Any:
        """As AIOKafkaProducer.send."""
        future = await super().send(*args, **kwargs)
        self._sent.append(future)
        return future

    async def send_and_wait(self, *args: Any, **kwargs: Any) -> Any:
        """As AIOKafkaProducer.send_and_wait: who calls it is told at once, and not once more by `flush`."""
        return await (await super().send(*args, **kwargs))

    async def flush(self) -> None:
        """Wait for all acknowledgements. Raises what the first failed send failed with."""
        await super().flush()
        sent, self._sent = self._sent, []
        for future in sent:
            await future


def producer(config: type[KafkaTestConfig]) -> AsyncProducer:
    """Objects become JSON; each record is written once, if all replicas are to acknowledge it."""
    settings = {name: value for name, value in config.get_producer_config().items() if name not in UNKNOWN}
    defaults = {"enable_idempotence": settings.get("acks") in ("all", -1)}
    return AsyncProducer(**defaults | settings, value_serializer=encode, key_serializer=encode)
