"""The 25 tests of the production checklist, in its six categories.

Those not marked `sandbox` place nothing that could trade, and run against the real exchange as they are.
"""

from __future__ import annotations

import asyncio
import time
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from trading import far_order, resting

from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from bot import Bot
    from exchange import Exchange
    from sandbox import Market, Sandbox

pytestmark = pytest.mark.asyncio
UNAVAILABLE = "EService:Unavailable"
WRONG_SECRET = "d3Jvbmctc2VjcmV0LXdpdGgtdGhlLXJpZ2h0LWZvcm0="
# The service's settings in the TestRun, which the suite relies on.
ATTEMPTS = 5
BREAKER_FAILURES = 8
BACKOFF_BASE_SECONDS = 0.05
TAKER_FEE, MAKER_FEE = Decimal("0.0040"), Decimal("0.0025")


def amount(value: str | None) -> Decimal:
    assert value is not None
    return Decimal(value)


def cents(value: Decimal) -> Decimal:
    """As the exchange rounds amounts in EUR: to five decimals, halves up."""
    return value.quantize(Decimal("0.00001"), ROUND_HALF_UP)


class TestAuthenticationAndConnectivity:
    """Credentials, access, and what happens when the connection fails."""

    async def test_api_key_validation(self, bot: Bot, exchange: Exchange) -> None:
        assert (await bot.get("balances"))["balances"]
        refused = await exchange.private("Balance", key="no-such-key")
        assert refused["error"] == ["EAPI:Invalid key"]

    async def test_api_secret_validation(self, bot: Bot, exchange: Exchange) -> None:
        refused = await exchange.private("Balance", secret=WRONG_SECRET)
        assert refused["error"] == ["EAPI:Invalid signature"]
        assert (await bot.get("balances"))["balances"], "the right secret works on"

    async def test_account_access_balances(self, bot: Bot, pair: str) -> None:
        balances = (await bot.get("balances"))["balances"]
        assert all(Decimal(held) >= 0 for held in balances.values())
        quote = (await bot.get(f"pairs/{pair}"))["quote"]
        assert quote in balances
        found = await bot.send("POST", f"reconciliations?pair={pair}")
        assert found["shortfalls"] == {}
        assert found["balances"].keys() >= {quote}

    @pytest.mark.sandbox
    @pytest.mark.exclusive
    async def test_connection_retry_logic(self, bot: Bot, sandbox: Sandbox) -> None:
        """Three ways to fail, then an answer: one call of ours, four requests, waiting longer each time."""
        before = await sandbox.last_request()
        for kind in ("drop", "status", "malformed"):
            await sandbox.fault("Balance", kind, times=1)
        assert (await bot.get("balances"))["balances"]
        asked = [entry for entry in await sandbox.requests(before) if entry["method"] == "Balance"]
        assert [entry["outcome"] for entry in asked] == ["fault", "fault", "fault", "ok"]
        nonces = [int(entry["params"]["nonce"]) for entry in asked]
        assert nonces == sorted(set(nonces)), "every attempt is signed anew"
        delays = [retry["delay"] for retry in (await bot.get("retries", method="Balance"))["retries"][-3:]]
        assert delays == [BACKOFF_BASE_SECONDS * factor for factor in (1, 2, 4)]


class TestMarketData:
    """Prices, candles, depth, and what is remembered of them."""

    async def test_live_price_data_fetch(self, bot: Bot, pair: str) -> None:
        await bot.streaming(pair)
        shown = await bot.get(f"ticker/{pair}")
        bid, ask, last = (Decimal(shown["ticker"][name]) for name in ("bid", "ask", "last"))
        assert 0 < bid < ask
        assert abs(last / bid - 1) < Decimal("0.1")
        assert shown["stale"] is False

    async def test_ohlcv_data_validation(self, bot: Bot, pair: str) -> None:
        candles = (await bot.get(f"ohlc/{pair}", interval=60))["candles"]
        assert len(candles) > 100
        for before, after in pairwise(candles):
            assert after["at"] > before["at"]
        for candle in candles:
            assert candle["at"] % 3600 == 0
            low, high = Decimal(candle["low"]), Decimal(candle["high"])
            assert 0 < low <= Decimal(candle["open"]) <= high
            assert low <= Decimal(candle["close"]) <= high
            assert Decimal(candle["volume"]) >= 0

    async def test_historical_data_fetch(self, bot: Bot, exchange: Exchange, pair: str) -> None:
        """The committed candles are those of the exchange, value by value."""
        mine = (await bot.get(f"ohlc/{pair}", interval=1440))["candles"]
        result = (await exchange.public("OHLC", pair=pair, interval=1440))["result"]
        theirs = next(entries for name, entries in result.items() if name != "last")
        known = {candle["at"]: candle for candle in mine[:-1]}
        compared = [entry for entry in theirs[:-1] if entry[0] in known]
        assert len(compared) >= min(len(theirs), 365) - 2
        for at, *numbers, count in compared:
            names = ("open", "high", "low", "close", "vwap", "volume")
            assert [Decimal(known[at][name]) for name in names] == [Decimal(number) for number in numbers]
            assert known[at]["count"] == count

    @pytest.mark.sandbox
    async def test_data_caching_behavior(self, bot: Bot, market: Market) -> None:
        """Asked for once, however many want it; a refresh asks only for what is new."""
        found = await asyncio.gather(*(bot.get(f"ohlc/{market.pair}", interval=5) for _ in range(10)))
        assert all(one["candles"] == found[0]["candles"] for one in found)
        assert sorted(one["source"] for one in found) == ["api"] + ["cache"] * 9
        assert len(await market.requests("OHLC")) == 1
        again = await bot.get(f"ohlc/{market.pair}", interval=5, refresh="true")
        assert again["source"] == "api"
        asked = await market.requests("OHLC")
        assert len(asked) == 2
        # Everything up to the last committed candle was known.
        assert int(asked[1]["params"]["since"]) == found[0]["candles"][-2]["at"]
        assert [c["at"] for c in again["candles"]][: len(found[0]["candles"])] == [c["at"] for c in found[0]["candles"]]

    async def test_depth_data_accuracy(self, bot: Bot, exchange: Exchange, pair: str) -> None:
        """The book that the stream keeps (each change is checked against the exchange's checksum) is in order."""
        await bot.streaming(pair)
        depth = (await bot.get(f"depth/{pair}", count=10))["depth"]
        asks, bids = ([Decimal(price) for price, _ in depth[side]] for side in ("asks", "bids"))
        assert asks == sorted(asks)
        assert bids == sorted(bids, reverse=True)
        assert bids[0] < asks[0]
        # A moment later: prices may have moved on a live market, but not far.
        result = next(iter((await exchange.public("Depth", pair=pair, count=10))["result"].values()))
        for mine, theirs in ((asks, result["asks"]), (bids, result["bids"])):
            assert len(mine) == len(theirs) == 10
            assert mine[0] == pytest.approx(Decimal(theirs[0][0]), rel=Decimal("0.01"))


class TestOrderManagement:
    """From the order to its trades."""

    async def test_place_buy_order(self, bot: Bot, pair: str) -> None:
        async with resting(bot, pair, "buy") as order:
            assert (order["status"], order["side"], order["executed"]) == ("open", "buy", "0")
            assert order["txid"]
        assert (await bot.settled(order["id"]))["status"] == "canceled"

    async def test_place_sell_order(self, bot: Bot, pair: str) -> None:
        async with resting(bot, pair, "sell") as order:
            assert (order["status"], order["side"], order["executed"]) == ("open", "sell", "0")
        assert (await bot.settled(order["id"]))["status"] == "canceled"

    async def test_cancel_pending_order(self, bot: Bot, exchange: Exchange, pair: str) -> None:
        order = await far_order(bot, pair, "buy")
        cancelled = await bot.cancel(order["id"])
        assert (cancelled["status"], cancelled["executed"]) == ("canceled", "0")
        assert (await bot.cancel(order["id"]))["status"] == "canceled", "again is harmless"
        found = await bot.get("orders", pair=pair, status="open")
        assert order["id"] not in {item["id"] for item in found["orders"]}
        theirs = (await exchange.private("QueryOrders", txid=order["txid"]))["result"][order["txid"]]
        assert (theirs["status"], Decimal(theirs["vol_exec"])) == ("canceled", 0)

    async def test_query_open_orders(self, bot: Bot, pair: str) -> None:
        async with resting(bot, pair, "buy") as one, resting(bot, pair, "buy") as other:
            found = (await bot.get("orders", pair=pair, status="open"))["orders"]
            assert {one["id"], other["id"]} <= {item["id"] for item in found}
            assert (await bot.look(one["id"]))["txid"] == one["txid"]

    @pytest.mark.sandbox
    async def test_partial_fill_handling(self, bot: Bot, market: Market) -> None:
        """0.3 of 1 at once, 0.2 from somebody who sells later, the rest cancelled: booked to the last digit."""
        await market.levels([("100.0", "0.3"), ("120.0", "5")], [("90.0", "5")])
        order = await bot.order(market.pair, "buy", "1", "100.0")
        partial = await bot.until(order["id"], "0.3 bought", lambda o: o["executed"] == "0.3")
        assert (partial["status"], partial["remaining"]) == ("open", "0.7")
        await market.aggress("sell", "100.0", "0.2")
        await bot.until(order["id"], "0.5 bought", lambda o: o["executed"] == "0.5")
        done = await bot.cancel(order["id"])
        assert (done["status"], done["executed"], done["remaining"]) == ("canceled", "0.5", "0.5")
        trades = (await bot.look(order["id"]))["trades"]
        assert [trade["volume"] for trade in trades] == ["0.3", "0.2"]
        position = await bot.get(f"positions/{market.pair}")
        assert (position["volume"], position["entry_price"], position["trades"]) == ("0.5", "100", 2)

    @pytest.mark.sandbox
    async def test_fee_calculation(self, bot: Bot, market: Market) -> None:
        """Taker and maker fees, as the exchange charges them and as its fee schedule says."""
        info = await bot.get(f"pairs/{market.pair}")
        assert (Decimal(info["taker_fee"]), Decimal(info["maker_fee"])) == (TAKER_FEE, MAKER_FEE)
        taken = await bot.filled((await bot.order(market.pair, "buy", "0.5"))["id"])
        assert amount(taken["fee"]) == cents(amount(taken["cost"]) * TAKER_FEE)
        made = await bot.order(market.pair, "buy", "0.25", "99.0", post_only=True)
        await market.aggress("sell", "99.0", "1000")
        made = await bot.filled(made["id"])
        assert amount(made["fee"]) == cents(Decimal("0.25") * 99 * MAKER_FEE)
        charged = sum(Decimal(trade["fee"]) for trade in (await market.trades()).values())
        assert amount((await bot.get(f"positions/{market.pair}"))["fees"]) == charged

    @pytest.mark.sandbox
    async def test_order_status_tracking(self, bot: Bot, market: Market) -> None:
        """Open, then filled by the market's move, without anybody asking: the exchange's stream tells."""
        order = await bot.order(market.pair, "buy", "0.5", "95.0", post_only=True)
        assert order["status"] == "open"
        before = await market.sandbox.last_request()
        await market.move("94.0")
        done = await bot.filled(order["id"])
        assert (done["executed"], done["average_price"]) == ("0.5", "95")
        asked = {entry["method"] for entry in await market.requests("QueryOrders", before)}
        assert not asked, "no polling"
        theirs = (await market.orders())[order["txid"]]
        assert (theirs["status"], theirs["cl_ord_id"]) == ("closed", order["id"])

    async def test_multiple_order_management(self, bot: Bot, pair: str) -> None:
        """Five at once, each one tracked; cancelling one leaves the others."""
        orders = await asyncio.gather(*(far_order(bot, pair, "buy") for _ in range(5)))
        try:
            assert len({order["txid"] for order in orders}) == 5
            await bot.cancel(orders[2]["id"])
            found = (await bot.get("orders", pair=pair, status="open"))["orders"]
            rest = {order["id"] for order in orders} - {orders[2]["id"]}
            assert rest <= {item["id"] for item in found}
            assert orders[2]["id"] not in {item["id"] for item in found}
        finally:
            for order in orders:
                await bot.cancel(order["id"])


class TestRiskManagement:
    """What is refused before the exchange is asked."""

    async def violations(self, bot: Bot, pair: str, *order: Any, **more: Any) -> dict[str, str]:
        refused = await bot.order(pair, *order, expected=422, **more)
        return dict(refused["violations"])

    async def test_position_size_limits(self, bot: Bot, pair: str) -> None:
        price = Decimal((await bot.get(f"ticker/{pair}"))["ticker"]["last"])
        limits = (await bot.get("status"))["limits"]
        tick = Decimal((await bot.get(f"pairs/{pair}"))["tick"])
        limit = f"{(price / 2).quantize(tick):f}"
        too_much = f"{Decimal(limits['total_btc']) + Decimal('0.00000001'):f}"
        assert "allocation" in await self.violations(bot, pair, "buy", too_much, limit, post_only=True)
        assert "allocation" in await self.violations(bot, pair, "sell", too_much, f"{price * 2:f}", post_only=True)
        too_dear = f"{(Decimal(limits['max_order_eur']) / Decimal(limit) * 2).quantize(Decimal('1e-8')):f}"
        assert "order_value" in await self.violations(bot, pair, "buy", too_dear, limit, post_only=True)
        assert "minimum_volume" in await self.violations(bot, pair, "buy", "0.00000001", limit, post_only=True)
        assert "minimum_value" in await self.violations(bot, pair, "buy", "0.00006", "5.0", post_only=True)
        assert (await bot.get("orders", pair=pair, status="open,pending"))["orders"] == []

    @pytest.mark.exclusive
    async def test_daily_trade_count_limits(self, bot: Bot, pair: str) -> None:
        """Two more today and no third; an order that is only validated is none."""
        used = int(await self.find_used(bot, pair))
        await bot.send("PATCH", "limits", max_daily_trades=used + 2)
        for _ in range(2):
            await bot.cancel((await far_order(bot, pair, "buy"))["id"])
        refused = await far_order(bot, pair, "buy", expected=422)
        assert refused["violations"].keys() == {"daily_trades"}
        assert (await far_order(bot, pair, "buy", mode="validate"))["status"] == "validated"
        await bot.send("DELETE", "limits")
        await bot.cancel((await far_order(bot, pair, "buy"))["id"])

    async def find_used(self, bot: Bot, pair: str) -> int:
        """How many trades the service counts today: it says so when it refuses one."""
        await bot.send("PATCH", "limits", max_daily_trades=0)
        refused = await far_order(bot, pair, "buy", expected=422)
        return int(refused["violations"]["daily_trades"].split()[0])

    async def test_leverage_enforcement(self, bot: Bot, pair: str) -> None:
        refused = await far_order(bot, pair, "buy", leverage=2, expected=422)
        assert refused["violations"].keys() == {"leverage"}
        assert (await bot.get("orders", pair=pair, status="open,pending"))["orders"] == []

    async def test_risk_adjusted_position_sizing(self, bot: Bot, pair: str) -> None:
        """The loss at the stop is the same part of the capital whatever the distance, as far as limits allow."""
        status = await bot.get("status")
        risk = Decimal(status["limits"]["risk_per_trade"])
        entry = Decimal((await bot.get(f"ticker/{pair}"))["ticker"]["ask"])
        capital = Decimal(status["limits"]["max_order_eur"])
        near, far = entry * Decimal("0.95"), entry * Decimal("0.90")
        sizes = {}
        for name, stop in (("near", near), ("far", far)):
            sized = await bot.send("POST", "sizes", pair=pair, stop=f"{stop:f}", capital=f"{capital:f}")
            sizes[name] = Decimal(sized["volume"])
            wild = max(Decimal(1), Decimal(sized["volatility"]) / Decimal(status["limits"]["target_volatility"]))
            loss = sizes[name] * (Decimal(sized["entry"]) - stop) * wild
            assert loss == pytest.approx(capital * risk, rel=Decimal("0.01")) or sizes[name] == 0
        assert sizes["near"] > sizes["far"] > 0


@pytest.mark.sandbox
@pytest.mark.exclusive
class TestFailSafeMechanisms:
    """When the exchange is ill."""

    async def test_circuit_breaker_activation(self, bot: Bot, sandbox: Sandbox, market: Market) -> None:
        """Opens after repeated failures; then nothing is sent; one request that works closes it."""
        await bot.get(f"ticker/{market.pair}")
        opened = (await bot.get("status"))["breaker"]["times_opened"]
        await sandbox.fault("*", "error", errors=[UNAVAILABLE])
        for _ in range(BREAKER_FAILURES // ATTEMPTS + 1):
            await bot.get("balances", expected=503)
        breaker = (await bot.get("status"))["breaker"]
        assert breaker["times_opened"] > opened, breaker

        async def refused_unsent() -> bool:
            """Between two trials of the half-open breaker."""
            before = await sandbox.last_request()
            response = await bot.client.get("/v1/balances")
            if response.status_code != 503:
                pytest.fail(f"an exchange that is unavailable gave {response.status_code}: {response.text}")
            sent = [entry for entry in await sandbox.requests(before) if entry["method"] == "Balance"]
            assert "circuit breaker is open" in response.json()["error"], response.text
            assert not sent, sent
            return True

        await eventually_async(refused_unsent, "a call that is refused and not sent")
        await sandbox.clear()

        async def works() -> bool:
            await bot.get("balances")
            return True

        await eventually_async(works, "the breaker to close by a request that works")
        assert (await bot.get("status"))["breaker"]["state"] == "closed"

    async def test_rate_limit_handling(self, bot: Bot, sandbox: Sandbox) -> None:
        """Refused for their number, requests are made again, each after a longer pause; the breaker stays closed."""
        before = await sandbox.last_request()
        await sandbox.fault("Balance", "error", errors=["EAPI:Rate limit exceeded"], times=ATTEMPTS - 1)
        assert (await bot.get("balances"))["balances"]
        asked = [entry for entry in await sandbox.requests(before) if entry["method"] == "Balance"]
        assert len(asked) == ATTEMPTS
        retries = (await bot.get("retries", method="Balance"))["retries"][-(ATTEMPTS - 1) :]
        assert {retry["reason"] for retry in retries} == {"EAPI:Rate limit exceeded"}
        assert [retry["delay"] for retry in retries] == [BACKOFF_BASE_SECONDS * 2**n for n in range(ATTEMPTS - 1)]
        assert (await bot.get("status"))["breaker"]["failures"] == 0

    async def test_graceful_degradation(self, bot: Bot, sandbox: Sandbox, market: Market) -> None:
        """No exchange: old prices are shown as old, orders that need new ones are refused, the service stays up."""
        fresh = await bot.get(f"ohlc/{market.pair}", interval=60)
        await bot.get(f"ticker/{market.pair}")
        await bot.get(f"pairs/{market.pair}")
        await sandbox.fault("*", "status", status=502)
        await sandbox.post("streams", kind="refuse")

        async def stale() -> dict[str, Any]:
            shown = await bot.get(f"ticker/{market.pair}")
            assert shown["stale"], shown
            return dict(shown)

        shown = await eventually_async(stale, "a ticker marked as stale")
        assert Decimal(shown["ticker"]["last"]) == market.price
        old = await bot.get(f"ohlc/{market.pair}", interval=60, refresh="true")
        assert (old["stale"], old["candles"]) == (True, fresh["candles"])
        refused = await bot.order(market.pair, "buy", "0.1", "100.0", expected=422)
        assert refused["violations"].keys() == {"market_data"}
        assert (await bot.health())[0] == 200
        assert await market.orders() == {}
        await sandbox.clear()
        await bot.send("DELETE", "breaker")
        assert (await bot.order(market.pair, "buy", "0.1", "90.0"))["status"] == "open"


class TestPerformance:
    """How long the exchange takes to answer."""

    @pytest.mark.exclusive
    async def test_api_response_times_under_normal_conditions(self, bot: Bot, pair: str, record_property: Any) -> None:
        """Thirty calls, none of them failing; what is recorded of those for balances is no longer than they took."""
        before, spent = await bot.requests(), await bot.metric("kraken_request_seconds_sum", method="Balance")
        began = time.monotonic()
        for _ in range(10):
            await bot.get("balances")
            await bot.send("POST", f"reconciliations?pair={pair}")
        took = time.monotonic() - began
        made = await bot.requests() - before
        assert made.keys() == {"ok"}, made
        assert made["ok"] >= 30
        assert 0 < await bot.metric("kraken_request_seconds_sum", method="Balance") - spent <= took
        statistics, counted = await bot.get("statistics"), await bot.requests()
        record_property("request_ms", statistics["request_ms"])
        record_property("error_rate", statistics["error_rate"])
        assert all(statistics["request_ms"][percentile] > 0 for percentile in ("p50", "p95", "p99"))
        failed, total = counted.total() - counted["ok"], counted.total()
        assert statistics["error_rate"] == pytest.approx(failed / total, abs=1 / total)
