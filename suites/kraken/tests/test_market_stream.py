"""Market data over the WebSocket: prices and books as they change, checked, and made again after a break."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from bot import Bot
    from exchange import Exchange
    from sandbox import Market, Sandbox

pytestmark = [pytest.mark.asyncio, pytest.mark.sandbox]


async def book_is(bot: Bot, market: Market, asks: list[list[str]], bids: list[list[str]]) -> None:
    async def shown() -> bool:
        found = await bot.get(f"depth/{market.pair}")
        assert (found["source"], found["depth"]) == ("stream", {"asks": asks, "bids": bids}), found
        return True

    await eventually_async(shown, f"{asks} asked and {bids} bid")


async def last_is(bot: Bot, market: Market, price: str) -> dict[str, Any]:
    async def shown() -> dict[str, Any]:
        found = await bot.get(f"ticker/{market.pair}")
        assert (found["source"], Decimal(found["ticker"]["last"])) == ("stream", Decimal(price)), found
        return dict(found)

    return await eventually_async(shown, f"{price} from the stream")


async def test_prices_are_those_of_the_moment(bot: Bot, market: Market) -> None:
    await bot.streaming(market.pair)
    for price in ("101.0", "99.5", "100.2"):
        await market.move(price)
        ticker = (await last_is(bot, market, price))["ticker"]
        assert Decimal(ticker["bid"]) < Decimal(price) < Decimal(ticker["ask"])


async def test_the_book_follows_every_change(bot: Bot, market: Market) -> None:
    """Levels that come, change and go; each change is checked against the exchange's checksum."""
    await bot.streaming(market.pair)
    wrong = await bot.metric("kraken_book_checksum_errors_total")
    await market.levels([("100.5", "1"), ("101.0", "2")], [("99.5", "3")])
    await book_is(bot, market, [["100.5", "1"], ["101", "2"]], [["99.5", "3"]])
    await market.levels([("100.5", "1.00000001"), ("102.0", "2")], [("99.0", "1"), ("98.9", "0.00000001")])
    await book_is(bot, market, [["100.5", "1.00000001"], ["102", "2"]], [["99", "1"], ["98.9", "0.00000001"]])
    await market.aggress("buy", "100.5", "0.5")
    await book_is(bot, market, [["100.5", "0.50000001"], ["102", "2"]], [["99", "1"], ["98.9", "0.00000001"]])
    assert await bot.metric("kraken_book_checksum_errors_total") == wrong


async def test_our_own_order_is_in_the_book(bot: Bot, market: Market) -> None:
    await bot.streaming(market.pair)
    await market.levels([("100.5", "1")], [("99.5", "1")])
    order = await bot.order(market.pair, "buy", "0.25", "99.5", post_only=True)
    await book_is(bot, market, [["100.5", "1"]], [["99.5", "1.25"]])
    await bot.cancel(order["id"])
    await book_is(bot, market, [["100.5", "1"]], [["99.5", "1"]])


async def test_trades_are_those_of_the_exchange(bot: Bot, exchange: Exchange, market: Market) -> None:
    """Everybody's, value by value: a move of others, an order of ours, and somebody who sells."""
    await market.levels([("100.5", "1")], [("99.5", "1")])
    await bot.filled((await bot.order(market.pair, "buy", "0.25"))["id"])
    await market.aggress("sell", "99.5", "0.75")
    await market.move("101.0")
    result = (await exchange.public("Trades", pair=market.pair))["result"]
    theirs = [
        {"price": price, "volume": volume, "at": at, "side": {"b": "buy", "s": "sell"}[side]}
        for price, volume, at, side, *_ in result[market.pair]
    ]
    assert (await bot.get(f"trades/{market.pair}"))["trades"] == theirs
    happened = [(Decimal(trade["price"]), Decimal(trade["volume"]), trade["side"]) for trade in theirs[-3:]]
    ours, sold = (Decimal("100.5"), Decimal("0.25"), "buy"), (Decimal("99.5"), Decimal("0.75"), "sell")
    assert happened[:2] == [ours, sold]
    assert happened[2][0] == Decimal(101)
    assert (await bot.get(f"trades/{market.pair}", count=2))["trades"] == theirs[-2:], "the latest ones"


@pytest.mark.exclusive
async def test_a_wrong_book_is_noticed_and_replaced(bot: Bot, sandbox: Sandbox, market: Market) -> None:
    await bot.streaming(market.pair)
    wrong = await bot.metric("kraken_book_checksum_errors_total")
    await sandbox.post("streams", kind="corrupt", pair=market.pair)
    await market.levels([("100.5", "1")], [("99.5", "1")])
    await book_is(bot, market, [["100.5", "1"]], [["99.5", "1"]])
    assert await bot.metric("kraken_book_checksum_errors_total") == wrong + 1


@pytest.mark.exclusive
async def test_a_broken_stream_is_made_again(bot: Bot, sandbox: Sandbox, market: Market) -> None:
    """What changed meanwhile is there afterwards, and what was watched still is."""
    await bot.streaming(market.pair)
    streams = (await bot.get("status"))["streams"]
    assert (await sandbox.post("streams", kind="drop"))["dropped"] >= 2
    await market.levels([("100.5", "1")], [("99.5", "1")])
    await book_is(bot, market, [["100.5", "1"]], [["99.5", "1"]])
    again = await bot.until_status(
        "both streams are new",
        lambda s: (
            all(s["streams"][name]["connections"] > streams[name]["connections"] for name in streams)
            and all(stream["connected"] for stream in s["streams"].values())
        ),
    )
    assert again["state"] == "active"


@pytest.mark.exclusive
async def test_without_a_stream_prices_are_asked_for(bot: Bot, sandbox: Sandbox, market: Market) -> None:
    """And exits work without it, too."""
    order = await bot.order(market.pair, "buy", "0.5", stop_loss="95.0")
    await bot.filled(order["id"])
    await sandbox.post("streams", kind="refuse")

    async def asked_for() -> bool:
        return bool((await bot.get(f"ticker/{market.pair}"))["source"] != "stream")

    await eventually_async(asked_for, "prices that are not from the stream")
    await market.move("94.0")
    await bot.until(order["id"], "left", lambda o: [e["status"] for e in o["exits"]] == ["closed"])
