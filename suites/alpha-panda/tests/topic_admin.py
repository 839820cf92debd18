"""Topics of a test's own."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


def new_namespace() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def topics(servers: str, names: Sequence[str], partitions: int) -> AsyncIterator[None]:
    """They exist, with a leader for each partition, and are deleted afterwards."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
        assert not [error for error in answer.topic_errors if error[1]], answer.topic_errors

        async def probe() -> bool:
            found = await admin.describe_topics(list(names))
            led = [t for t in found if not t["error_code"] and all(p["leader"] >= 0 for p in t["partitions"])]
            assert len(led) == len(names), found
            return True

        await eventually_async(probe, f"topics {names}")
        yield
    finally:
        await admin.delete_topics(list(names))
        await admin.close()
