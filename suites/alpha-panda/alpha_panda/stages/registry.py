"""Which services there are, and what each reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alpha_panda.events.envelope import Broker, EventType
from alpha_panda.stages.execution import ExecutionHandler
from alpha_panda.stages.portfolio import PortfolioHandler
from alpha_panda.stages.risk import RiskHandler
from alpha_panda.stages.strategy import StrategyHandler

if TYPE_CHECKING:
    from alpha_panda.events.topics import Topics
    from alpha_panda.stages.work import StageHandler

FEED: Final = "feed"


@dataclass(frozen=True, slots=True)
class Stage:
    """A service of the pipeline."""

    handler: type[StageHandler]
    reads: EventType

    def topic(self, topics: Topics, broker: Broker) -> str:
        return topics.of(self.reads, Broker.SHARED if self.reads is EventType.MARKET_TICK else broker)


STAGES: Final = {
    stage.handler.service: stage
    for stage in (
        Stage(StrategyHandler, EventType.MARKET_TICK),
        Stage(RiskHandler, EventType.TRADING_SIGNAL),
        Stage(ExecutionHandler, EventType.SIGNAL_VALIDATED),
        Stage(PortfolioHandler, EventType.ORDER_FILLED),
    )
}
SERVICES: Final = (FEED, *STAGES)
