"""The whole pipeline as separate services, seen from outside: Kafka, Redis, PostgreSQL and HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from contract import CHAIN, DeadLetter, Order, Portfolio, Rejected, Signal, topic

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    import asyncpg
    from contract import Event
    from desk import Desk, OpenDesk
    from redis.asyncio import Redis
    from services import ServiceClient
    from wire import Wire


async def chain_from(desk: Desk, broker: str, number: int = 1) -> list[Event]:
    """What followed from the tick that caused the broker's signal of that number: one event of each kind."""
    return [await desk.last(kind, broker, number) for kind in CHAIN]


def assert_linked(chain: list[Event], tick: dict[str, Any]) -> None:
    assert chain[0].causation_id == UUID(tick["id"])
    for before, after in pairwise(chain):
        assert after.causation_id == before.id, f"{after.type} does not follow from {before.type}"
        assert after.parent_span_id == before.span_id
    assert len({event.correlation_id for event in chain}) == 1
    assert {event.trace_id for event in chain} == {tick["trace_id"]}
    assert len({event.id for event in chain}) == len(chain)


class TestEventSystemE2E:
    async def test_complete_event_flow_paper_trading(
        self, open_desk: OpenDesk, services: dict[str, ServiceClient], wire: Wire
    ) -> None:
        """From a price that the feed receives to the portfolio in the cache; each service makes its event."""
        desk = await open_desk(threshold="0.01", quantity=10)
        answer = await services["feed"].post("/ticks", [desk.price("100"), desk.price("100.5"), desk.price("102")])
        assert answer.status_code == 202, answer.text
        chain = await chain_from(desk, "paper")
        assert [event.type for event in chain] == list(CHAIN)
        assert [event.source for event in chain] == ["strategy", "risk", "execution", "execution", "portfolio"]
        tick_id = answer.json()["ids"][2]
        assert_linked(chain, {"id": tick_id, "trace_id": chain[0].trace_id})
        assert {event.broker for event in chain} == {"paper"}
        signal, order = Signal.model_validate(chain[0].data), Order.model_validate(chain[3].data)
        assert (signal.signal_type, signal.quantity, signal.price) == ("buy", 10, 102)
        assert (order.side, order.quantity, order.price, order.charges) == ("buy", 10, 102, 0)
        portfolio = await desk.portfolio(orders=1)
        assert portfolio == Portfolio.model_validate(chain[4].data)
        assert portfolio.positions[desk.instrument].quantity == 10
        await wire.settle()
        assert [len(desk.seen(kind)) for kind in CHAIN] == [1] * 5, "and nothing else"

    async def test_dual_broker_event_segregation(self, open_desk: OpenDesk, wire: Wire, redis: Redis) -> None:
        """One tick, two brokers: the same trades on topics, keys and chains that have nothing in common."""
        desk = await open_desk(("paper", "zerodha"))
        only_zerodha = await open_desk(("zerodha",))
        await desk.tick("100")
        tick = await desk.tick("102")
        await only_zerodha.tick("100")
        await only_zerodha.tick("98")
        chains = {broker: await chain_from(desk, broker) for broker in desk.brokers}
        for broker, chain in chains.items():
            assert_linked(chain, tick)
            assert {event.broker for event in chain} == {broker}
            assert {wire.topic_of[event.id] for event in chain} == {topic(kind, broker) for kind in CHAIN}
        correlations = {broker: chain[0].correlation_id for broker, chain in chains.items()}
        assert len({*correlations.values(), UUID(tick["correlation_id"])}) == 3, "a chain of its own for each"
        ids = [{event.id for event in chain} for chain in chains.values()]
        assert not ids[0] & ids[1]
        paper, zerodha = await desk.portfolio(1, "paper"), await desk.portfolio(1, "zerodha")
        assert (paper.broker, zerodha.broker) == ("paper", "zerodha")
        assert paper.positions == zerodha.positions
        assert (paper.charges, zerodha.charges) == (0, Decimal("0.31")), "0.03 % of 10 x 102, in cents"
        await only_zerodha.portfolio(1, "zerodha")
        await wire.settle()
        assert not [event for kind in CHAIN for event in only_zerodha.seen(kind, "paper")]
        assert await redis.keys(f"paper:*{only_zerodha.strategy_id}*") == []

    async def test_event_deduplication_and_ordering(self, open_desk: OpenDesk, wire: Wire) -> None:
        """Events that come again, at every service, have no second effect; those of a key keep their order."""
        desk = await open_desk(threshold="0.005", quantity=1)
        prices = [str(100 + number) for number in range(20)]
        ticks = [await desk.tick(price) for price in prices]
        await desk.portfolio(orders=19)
        for tick in ticks[-3:]:
            await wire.send(topic("market_tick"), tick["key"], tick)
        for kind in CHAIN[:-1]:
            for event in desk.seen(kind, "paper")[-3:]:
                name = topic(kind, "paper")
                record = json.loads(event.model_dump_json())
                await wire.send(name, desk.strategy_id, record)
        await desk.tick("200")
        portfolio = await desk.portfolio(orders=20)
        await wire.settle()
        assert portfolio.positions[desk.instrument].quantity == 20
        for kind in CHAIN:
            assert len(desk.seen(kind)) == 20, kind
        bought = [Signal.model_validate(event.data).price for event in desk.seen("trading_signal")]
        assert bought == [*map(Decimal, prices[1:]), 200]
        filled = [Order.model_validate(event.data).price for event in desk.seen("order_filled")]
        assert filled == bought, "in the order of the ticks"
        totals = [Portfolio.model_validate(event.data).orders for event in desk.seen("portfolio_updated")]
        assert totals == list(range(1, 21))

    async def test_portfolio_cache_integration(self, open_desk: OpenDesk, redis: Redis) -> None:
        """The cache follows the orders; `paper:*` and `zerodha:*` are apart, and each can lose what it has alone."""
        desk = await open_desk(("paper", "zerodha"), threshold="0.01", quantity=10)
        for price in ("100", "110", "120"):
            await desk.tick(price)
        paper = await desk.portfolio(2, "paper")
        position = paper.positions[desk.instrument]
        assert (position.quantity, position.average_price) == (20, 115)
        await desk.tick("90")
        paper, zerodha = await desk.portfolio(3, "paper"), await desk.portfolio(3, "zerodha")
        position = paper.positions[desk.instrument]
        assert (position.quantity, position.average_price, position.realized_pnl) == (10, 115, -250)
        assert paper.realized_pnl == zerodha.realized_pnl == -250
        assert zerodha.charges == Decimal("0.33") + Decimal("0.36") + Decimal("0.27")
        assert sorted(await redis.keys(f"*:portfolio:{desk.strategy_id}")) == [
            f"{broker}:portfolio:{desk.strategy_id}".encode() for broker in ("paper", "zerodha")
        ]
        await redis.delete(desk.cache_key("paper"))
        await desk.tick("80")
        assert (await desk.portfolio(4, "zerodha")).positions[desk.instrument].quantity == 0
        await desk.expect("portfolio_updated", "paper", 4)
        # An update is published before it is in the cache. One order: what the cache holds is what is built upon.
        await desk.portfolio(1, "paper")

    async def test_error_event_dlq_flow(
        self, open_desk: OpenDesk, database: asyncpg.Connection, services: dict[str, ServiceClient], wire: Wire
    ) -> None:
        """A refused signal is a rejection and a dead letter of its chain; replayed under new limits, it trades."""
        desk = await open_desk(quantity=10, limits=(5, 1_000_000, 1000))
        await desk.tick("100")
        tick = await desk.tick("102")
        signal = await desk.last("trading_signal")
        letter, rejection = await desk.last("dead_letter"), await desk.last("signal_rejected")
        assert letter.correlation_id == rejection.correlation_id == signal.correlation_id
        assert letter.causation_id == rejection.causation_id == signal.id
        assert {letter.trace_id, rejection.trace_id} == {tick["trace_id"]}
        rejected, dead = Rejected.model_validate(rejection.data), DeadLetter.model_validate(letter.data)
        assert (rejected.rule, rejected.reason) == ("max_order_quantity", "10 units, at most 5 are allowed")
        assert (dead.error_class, dead.attempts, dead.service) == ("business", 1, "risk")
        assert (dead.topic, dead.record_key) == (topic("trading_signal", "paper"), desk.strategy_id)
        assert json.loads(dead.value)["id"] == str(signal.id)
        assert not desk.seen("order_placed")
        await database.execute(
            "UPDATE risk_limits SET max_order_quantity = 10 WHERE strategy_id = $1", desk.strategy_id
        )
        await _replay_until_accepted(desk, str(letter.id))
        filled = await desk.last("order_filled")
        assert filled.correlation_id == signal.correlation_id, "the chain goes on where it had ended"
        assert (await desk.portfolio(1)).positions[desk.instrument].quantity == 10
        before = await services["risk"].metric("alpha_panda_events_total", broker="paper", outcome="duplicate")
        await _replay(str(letter.id))
        await services["risk"].wait_metric(before + 1, "alpha_panda_events_total", broker="paper", outcome="duplicate")
        await wire.settle()
        assert len(desk.seen("order_filled")) == 1


class TestErrorClasses:
    """Beside refusals: what passes in time, what does not, and what never will."""

    async def test_reference_data_that_comes_late(self, open_desk: OpenDesk, database: asyncpg.Connection) -> None:
        """A signal for an instrument that is not known yet is tried again; known in time, it is traded."""
        desk = await open_desk(known=False)
        await desk.send("trading_signal", desk.signal())
        letter = DeadLetter.model_validate((await desk.last("dead_letter")).data)
        assert (letter.error_class, letter.error_type, letter.attempts) == ("transient", "TransientError", 4)
        assert f"instrument {desk.instrument} not configured" in letter.message
        await desk.make_known(database)
        await _replay_until_accepted(desk, str((await desk.last("dead_letter")).id))
        assert (await desk.portfolio(1)).positions[desk.instrument].quantity == 10

    async def test_poison_does_not_hold_up_what_follows(self, open_desk: OpenDesk, wire: Wire) -> None:
        desk = await open_desk()
        name = topic("trading_signal", "paper")
        poison = [b"", b"{", b"[]", b"\xff\xfe", b'{"schema_version": "9.0"}', b"\0" * (900 << 10)]
        for value in poison:
            await wire.send(name, desk.strategy_id, value)
        await desk.send("trading_signal", desk.signal(quantity=-1))
        await desk.send("trading_signal", desk.signal())
        assert (await desk.portfolio(1)).orders == 1
        letters = [DeadLetter.model_validate(event.data) for event in await desk.expect("dead_letter", count=7)]
        assert {letter.error_class for letter in letters} == {"poison"}
        assert f"an event of {900 << 10} bytes" in letters[5].message
        assert [letter.truncated for letter in letters] == [False] * 5 + [True, False]
        assert letters[3].encoding == "base64"
        assert "schema version 9.0" in letters[4].message
        assert letters[6].message == "trading_signal: data.quantity: Input should be greater than 0"


async def _replay_until_accepted(desk: Desk, letter: str) -> None:
    """The services learn of the new configuration a moment after it was committed."""

    async def probe() -> bool:
        await _replay(letter)
        await desk.wire.settle()
        assert desk.seen("signal_validated"), f"{len(desk.seen('dead_letter'))} dead letters"
        return True

    await eventually_async(probe, "the replayed signal to be validated")


async def _replay(letter: str) -> None:
    """What an operator would run: `python -m alpha_panda.replay BROKER ID`."""
    command = (sys.executable, "-m", "alpha_panda.replay", "paper", letter)
    process = await asyncio.create_subprocess_exec(*command, env=os.environ, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode != 0:  # final, also when it is one of several tries
        pytest.fail(f"exit status {process.returncode}:\n{output.decode()}")
