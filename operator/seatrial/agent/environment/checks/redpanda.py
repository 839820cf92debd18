"""Redpanda: what is checked of Kafka, and its schema registry answers where the run has one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from seatrial.agent.environment.checks.kafka import KafkaCheck
from seatrial.agent.environment.input import variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.agent.environment.attempts import Attempt
    from seatrial.agent.environment.input import Service


class RedpandaCheck(KafkaCheck):
    """The schema registry is a client of the broker, so it is asked after the broker has answered."""

    def __init__(self, service: Service, variables: Mapping[str, str]) -> None:
        super().__init__(service, variables)
        self._broker_ready = False
        self._check_registry: Attempt | None = None
        if service.schema_registry:
            from seatrial.agent.environment.checks.schema_registry import check_registry  # noqa: PLC0415  # see http_client

            registry = variable(variables, "SCHEMA_REGISTRY_URL")
            self._check_registry = partial(check_registry, registry)
            self.expected += f", and 200 to GET {registry}/subjects"

    async def attempt(self) -> None:
        if not self._broker_ready:
            await super().attempt()
            self._broker_ready = True
        if self._check_registry:
            await self._check_registry()
