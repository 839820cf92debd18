"""The safety precautions: what must not happen, however the exchange, the caller or the market behaves."""

from __future__ import annotations

import asyncio
import os
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from trading import far_order

from seatrial_kit.missing import required
from seatrial_kit.waiting import eventually_async

if TYPE_CHECKING:
    from bot import Bot
    from sandbox import Market, Sandbox

pytestmark = pytest.mark.asyncio
SECRETS = ("KRAKEN_API_KEY", "KRAKEN_API_SECRET", "CONTROL_TOKEN", "DATABASE_URL")


class TestCarefulModes:
    """Orders that are checked and not taken, or taken and cancelled."""

    @pytest.mark.sandbox
    async def test_a_validated_order_reaches_the_exchange_and_not_its_book(self, bot: Bot, market: Market) -> None:
        order = await bot.order(market.pair, "buy", "0.1", "100.0", mode="validate")
        assert (order["status"], order["txid"], order["executed"]) == ("validated", None, "0")
        (asked,) = await market.requests("AddOrder")
        assert asked["params"]["validate"] == "true"
        assert await market.orders() == {}

    @pytest.mark.sandbox
    async def test_the_exchange_may_refuse_what_is_validated(self, bot: Bot, market: Market) -> None:
        """Two units are within the allocation and not in the account."""
        order = await bot.order(market.pair, "sell", "2", "100.0", mode="validate", expected=422)
        assert (order["status"], order["reason"]) == ("rejected", "EOrder:Insufficient funds")

    async def test_a_paper_order_is_cancelled_immediately(self, bot: Bot, pair: str) -> None:
        order = await far_order(bot, pair, "buy", mode="paper")
        assert (order["status"], order["executed"], order["mode"]) == ("canceled", "0", "paper")

    @pytest.mark.sandbox
    async def test_a_paper_order_never_trades(self, bot: Bot, market: Market) -> None:
        """One that would cross is refused by the exchange, since it is post-only; a market order is not even sent."""
        crossing = await bot.order(market.pair, "buy", "0.1", "101.0", mode="paper", expected=422)
        assert (crossing["status"], crossing["reason"]) == ("rejected", "EOrder:Post only order")
        refused = await bot.order(market.pair, "buy", "0.1", mode="paper", expected=422)
        assert refused["violations"].keys() == {"paper"}
        assert await market.trades() == {}


class TestLimits:
    """What no order may exceed."""

    @pytest.mark.sandbox
    async def test_orders_side_by_side_cannot_exceed_the_allocation(self, bot: Bot, market: Market) -> None:
        """Ten times 0.5 at once, 2 allowed: four are taken, whichever."""
        price = "90.0"
        body = {"pair": market.pair, "side": "buy", "type": "limit", "price": price, "volume": "0.5", "post_only": True}
        answers = await asyncio.gather(*(bot.client.post("/v1/orders", json=body) for _ in range(10)))
        taken = [answer.json() for answer in answers if answer.status_code == 201]
        refused = [answer.json() for answer in answers if answer.status_code == 422]
        assert (len(taken), len(refused)) == (4, 6)
        assert all(answer["violations"].keys() == {"allocation"} for answer in refused)
        assert len(await market.orders()) == 4

    @pytest.mark.sandbox
    async def test_what_is_held_counts_and_what_is_cancelled_does_not(self, bot: Bot, market: Market) -> None:
        await bot.filled((await bot.order(market.pair, "buy", "1.5"))["id"])
        over = await bot.order(market.pair, "buy", "0.6", "90.0", expected=422)
        assert over["violations"].keys() == {"allocation"}
        await bot.cancel((await bot.order(market.pair, "buy", "0.5", "90.0"))["id"])
        assert (await bot.order(market.pair, "buy", "0.5", "91.0"))["status"] == "open"

    @pytest.mark.exclusive
    async def test_limits_are_tightened_at_run_time_and_never_loosened(self, bot: Bot, pair: str) -> None:
        configured = (await bot.get("status"))["limits"]
        loose = f"{Decimal(configured['total_btc']) * 10:f}"
        assert (await bot.send("PATCH", "limits", total_btc=loose))["total_btc"] == configured["total_btc"]
        assert Decimal((await bot.send("PATCH", "limits", total_btc="0.00000001"))["total_btc"]) == Decimal("1e-8")
        refused = await far_order(bot, pair, "buy", expected=422)
        assert refused["violations"].keys() == {"allocation"}
        await bot.send("DELETE", "limits")
        assert (await bot.get("status"))["limits"] == configured

    @pytest.mark.sandbox
    async def test_an_order_through_the_market_is_refused(self, bot: Bot, market: Market) -> None:
        """A slip of the finger: ten times the price, or a tenth of it."""
        for side, price in (("buy", "200.0"), ("sell", "50.0")):
            refused = await bot.order(market.pair, side, "0.1", price, expected=422)
            assert refused["violations"].keys() == {"price"}
        assert await market.requests("AddOrder") == []

    @pytest.mark.sandbox
    async def test_a_market_order_in_a_thin_book_is_refused(self, bot: Bot, market: Market) -> None:
        await market.levels([("100.0", "0.01"), ("150.0", "5")], [("99.0", "5")])
        refused = await bot.order(market.pair, "buy", "0.5", expected=422)
        assert refused["violations"].keys() == {"slippage"}
        assert await market.trades() == {}

    @pytest.mark.sandbox
    async def test_precision_is_checked_before_the_exchange_does(self, bot: Bot, market: Market) -> None:
        refused = await bot.order(market.pair, "buy", "0.123456789", "99.05", expected=422)
        assert refused["violations"].keys() == {"volume_precision", "price_precision"}
        assert await market.requests("AddOrder") == []


@pytest.mark.exclusive
class TestManualOverride:
    """A person stops it."""

    async def test_halt_cancels_everything_and_takes_nothing(self, bot: Bot, pair: str) -> None:
        orders = [await far_order(bot, pair, "buy") for _ in range(2)]
        canceled = (await bot.send("POST", "halt", reason="a person says so"))["canceled"]
        assert {order["id"] for order in orders} <= {order["id"] for order in canceled}
        assert {order["status"] for order in canceled} == {"canceled"}
        refused = await far_order(bot, pair, "buy", expected=422)
        assert refused["violations"] == {"halted": "trading is halted: a person says so"}
        assert (await bot.get("status"))["state"] == "halted"
        await bot.send("DELETE", "halt")
        assert (await far_order(bot, pair, "buy", mode="paper"))["status"] == "canceled"

    @pytest.mark.sandbox
    async def test_halt_cancels_what_is_on_its_way(self, bot: Bot, sandbox: Sandbox, market: Market) -> None:
        """The exchange has it, and the answer is held: the journal does not know yet."""
        await bot.get(f"ticker/{market.pair}")
        await sandbox.fault("AddOrder", "hold", times=1)
        order_id = bot.new_id()
        body = {"id": order_id, "pair": market.pair, "side": "buy", "type": "limit", "volume": "0.1", "price": "90.0"}
        asking = asyncio.create_task(bot.client.post("/v1/orders", json=body))

        async def taken() -> bool:
            return bool(await market.orders())

        await eventually_async(taken, "the order at the exchange")
        await bot.send("POST", "halt", reason="a person says so")
        await asking
        assert (await bot.settled(order_id))["status"] == "canceled"
        assert [order["status"] for order in (await market.orders()).values()] == ["canceled"]

    @pytest.mark.sandbox
    async def test_halt_goes_on_where_the_exchange_fails(self, bot: Bot, sandbox: Sandbox, market: Market) -> None:
        orders = [await bot.order(market.pair, "buy", "0.1", price, post_only=True) for price in ("90.0", "91.0")]
        await sandbox.fault("CancelOrder", "error", errors=["EGeneral:Permission denied"])
        told = await bot.send("POST", "halt", reason="a person says so")
        assert (told["canceled"], told["failed"].keys()) == ([], {order["id"] for order in orders})
        await sandbox.clear()
        for order in orders:
            assert (await bot.settled(order["id"]))["status"] == "canceled"

    @pytest.mark.sandbox
    async def test_halted_positions_are_still_protected(self, bot: Bot, market: Market) -> None:
        order = await bot.order(market.pair, "buy", "0.5", stop_loss="95.0")
        await bot.filled(order["id"])
        await bot.send("POST", "halt", reason="a person says so")
        await market.move("94.0")
        left = await bot.until(order["id"], "left", lambda o: [e["status"] for e in o["exits"]] == ["closed"])
        assert left["exits"][0]["reason"] == "stop_loss"


@pytest.mark.sandbox
class TestExits:
    """Stop-loss and take-profit."""

    async def left(self, bot: Bot, order_id: str) -> dict[str, Any]:
        """The one exit of an order, done."""
        order = await bot.until(order_id, "left", lambda o: [e["status"] for e in o["exits"]] == ["closed"])
        return dict(order["exits"][0])

    async def test_stop_loss_sells_what_was_bought(self, bot: Bot, market: Market) -> None:
        order = await bot.order(market.pair, "buy", "0.5", stop_loss="95.0", take_profit="120.0")
        await bot.filled(order["id"])
        await market.move("95.1")
        assert (await bot.look(order["id"]))["exits"] == []
        await market.move("95.0")
        done = await self.left(bot, order["id"])
        assert (done["side"], done["type"], done["executed"], done["reason"]) == ("sell", "market", "0.5", "stop_loss")
        position = await bot.get(f"positions/{market.pair}")
        assert position["volume"] == "0"
        assert Decimal(position["realized_pnl"]) < 0

    async def test_take_profit_sells_what_was_bought(self, bot: Bot, market: Market) -> None:
        order = await bot.order(market.pair, "buy", "0.5", stop_loss="95.0", take_profit="105.0")
        await bot.filled(order["id"])
        await market.move("105.0")
        done = await self.left(bot, order["id"])
        assert (done["executed"], done["reason"]) == ("0.5", "take_profit")
        assert Decimal((await bot.get(f"positions/{market.pair}"))["realized_pnl"]) > 0

    async def test_an_exit_happens_once(self, bot: Bot, market: Market) -> None:
        """The price goes on falling; nothing more is sold."""
        order = await bot.order(market.pair, "buy", "0.5", stop_loss="95.0")
        await bot.filled(order["id"])
        for price in ("94.0", "93.0", "92.0", "91.0"):
            await market.move(price)
        await self.left(bot, order["id"])
        await market.move("80.0")
        other = await bot.order(market.pair, "buy", "0.5", stop_loss="79.0")
        await bot.filled(other["id"])
        await market.move("78.0")
        await self.left(bot, other["id"])
        sells = [o for o in (await market.orders()).values() if o["descr"]["type"] == "sell"]
        assert [o["vol_exec"] for o in sells] == ["0.5", "0.5"]

    @pytest.mark.exclusive
    @pytest.mark.parametrize("refusal", ["EOrder:Insufficient funds", "EOrder:Rate limit exceeded"])
    async def test_an_exit_is_tried_until_it_happens(
        self, bot: Bot, sandbox: Sandbox, market: Market, refusal: str
    ) -> None:
        """Refused, or never taken: oftener than anybody would count, and a person can see it meanwhile."""
        order = await bot.order(market.pair, "buy", "0.5", stop_loss="95.0")
        await bot.filled(order["id"])
        await sandbox.fault("AddOrder", "error", errors=[refusal])
        for price in ("94.9", "94.8", "94.7", "94.6", "94.5", "94.4", "94.3"):
            await market.move(price)
        await bot.until_status("six failures", lambda s: s["exits_failing"].get(market.pair, 0) >= 6)
        assert await bot.metric("kraken_exits_failing") == 1
        await sandbox.clear()
        done = await bot.until(order["id"], "left", lambda o: any(e["status"] == "closed" for e in o["exits"]))
        assert [e["executed"] for e in done["exits"] if e["status"] == "closed"] == ["0.5"]
        assert (await bot.get(f"positions/{market.pair}"))["volume"] == "0"
        await bot.until_status("nothing failing", lambda s: s["exits_failing"] == {})

    async def test_only_what_was_filled_is_sold_and_the_rest_cancelled(self, bot: Bot, market: Market) -> None:
        await market.levels([("100.0", "0.3"), ("130.0", "5")], [("99.0", "5")])
        order = await bot.order(market.pair, "buy", "1", "100.0", stop_loss="95.0")
        await bot.until(order["id"], "0.3 bought", lambda o: o["executed"] == "0.3")
        # The last price is the stop's, and what others offer reaches no further than the order that rests at 100.
        await market.levels([("130.0", "5")], [("94.0", "5")])
        await market.aggress("sell", "94.0", "0.75")
        done = await self.left(bot, order["id"])
        bought = Decimal((await bot.look(order["id"]))["executed"])
        assert Decimal(done["executed"]) == bought
        assert (await bot.get(f"positions/{market.pair}"))["volume"] == "0"

    async def test_a_short_sale_is_bought_back(self, bot: Bot, market: Market) -> None:
        """What the account holds may be sold; its exits are the other way around."""
        order = await bot.order(market.pair, "sell", "0.5", stop_loss="105.0", take_profit="95.0")
        await bot.filled(order["id"])
        await market.move("106.0")
        done = await self.left(bot, order["id"])
        assert (done["side"], done["executed"], done["reason"]) == ("buy", "0.5", "stop_loss")

    async def test_an_exit_on_the_wrong_side_is_refused(self, bot: Bot, market: Market) -> None:
        refused = await bot.order(market.pair, "buy", "0.1", stop_loss="110.0", take_profit="90.0", expected=422)
        assert refused["violations"].keys() == {"stop_loss", "take_profit"}

    async def test_a_stop_order_can_rest_at_the_exchange_itself(self, bot: Bot, market: Market) -> None:
        order = await bot.order(market.pair, "sell", "0.5", "95.0", type="stop-loss")
        assert order["status"] == "open"
        await market.move("94.0")
        assert (await bot.filled(order["id"]))["executed"] == "0.5"

    async def test_a_whole_trade_is_sized_by_its_stop(self, bot: Bot, market: Market) -> None:
        """Market data, sizing, risk, execution, position and exit: the orchestrator's way through all parts."""
        asked = {"pair": market.pair, "stop_loss": "95.0", "take_profit": "110.0", "capital": "1000"}
        order = await bot.filled((await bot.send("POST", "workflows", 201, **asked))["id"])
        entry = Decimal(order["average_price"])
        assert Decimal(order["executed"]) * (entry - 95) <= Decimal(1000) * Decimal("0.0101")
        await market.move("111.0")
        assert (await self.left(bot, order["id"]))["reason"] == "take_profit"


@pytest.mark.sandbox
@pytest.mark.exclusive
class TestUnknownOutcome:
    """The answer to an order is lost: it must be there once, whatever happened to it."""

    async def once(self, bot: Bot, market: Market, order: dict[str, Any]) -> None:
        done = await bot.settled(order["id"])
        assert (done["status"], done["executed"]) == ("closed", "0.1")
        assert [o["cl_ord_id"] for o in (await market.orders()).values()] == [order["id"]]
        assert len((await bot.look(order["id"]))["trades"]) == len(await market.trades()) == 1

    @pytest.mark.parametrize("kind", ["lose", "hold"])
    async def test_an_order_that_was_carried_out_is_found(
        self, bot: Bot, sandbox: Sandbox, market: Market, kind: str
    ) -> None:
        await bot.get(f"ticker/{market.pair}")
        await sandbox.fault("AddOrder", kind, times=1)
        await self.once(bot, market, await bot.order(market.pair, "buy", "0.1"))
        assert len(await market.requests("AddOrder")) == 1

    @pytest.mark.parametrize("kind", ["status", "malformed", "error"])
    async def test_an_order_that_was_not_is_sent_again(
        self, bot: Bot, sandbox: Sandbox, market: Market, kind: str
    ) -> None:
        """After its deadline, when it can no longer arrive."""
        await bot.get(f"ticker/{market.pair}")
        await sandbox.fault("AddOrder", kind, times=1)
        await self.once(bot, market, await bot.order(market.pair, "buy", "0.1"))
        first, second = (entry["params"] for entry in await market.requests("AddOrder"))
        assert first["cl_ord_id"] == second["cl_ord_id"]
        assert first["deadline"] < second["deadline"]

    async def test_an_order_that_cannot_be_looked_up_stays_pending_until_it_can(
        self, bot: Bot, sandbox: Sandbox, market: Market
    ) -> None:
        await bot.get(f"ticker/{market.pair}")
        await sandbox.fault("AddOrder", "lose", times=1)
        await sandbox.fault("OpenOrders", "status")
        # Nor may the stream bring it.
        await sandbox.post("streams", kind="refuse")
        order_id = bot.new_id()
        pending = await bot.order(market.pair, "buy", "0.1", id=order_id, expected=202)
        assert pending["status"] == "pending"
        await sandbox.clear()
        await self.once(bot, market, await bot.settled(order_id))


class TestCallers:
    """Who asks, and what they are told."""

    async def test_the_same_id_is_the_same_order(self, bot: Bot, pair: str) -> None:
        order_id = bot.new_id()
        first = await far_order(bot, pair, "buy", id=order_id)
        again = await asyncio.gather(*(far_order(bot, pair, "buy", id=order_id) for _ in range(4)))
        assert {(answer["id"], answer["txid"]) for answer in again} == {(order_id, first["txid"])}
        other = await far_order(bot, pair, "buy", id=order_id, stop_loss="1.0", expected=409)
        assert order_id in other["error"]
        paper = await far_order(bot, pair, "buy", id=order_id, mode="paper", expected=409)
        assert order_id in paper["error"]
        assert (await bot.cancel(order_id))["status"] == "canceled"

    async def test_nobody_trades_without_the_control_token(self, bot: Bot, pair: str) -> None:
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
            for verb, path in (("GET", "status"), ("POST", "orders"), ("DELETE", "halt"), ("GET", f"ticker/{pair}")):
                answer = await bot.client.request(verb, f"/v1/{path}", headers=headers)
                assert answer.status_code == 401, f"{verb} {path}"

    @pytest.mark.sandbox
    async def test_every_request_to_the_exchange_was_authorized(self, bot: Bot, market: Market) -> None:
        """What this test asks for, and nothing else, in requests that the exchange accepted."""
        order = await bot.order(market.pair, "buy", "0.1", "90.0", post_only=True)
        await bot.cancel(order["id"])
        (added,) = await market.requests("AddOrder")
        assert added["outcome"] == "ok"
        assert added["params"].keys() <= {
            "nonce", "pair", "type", "ordertype", "volume", "price", "cl_ord_id", "oflags", "deadline",
        }  # fmt: skip
        cancels = [e for e in await market.sandbox.requests() if e["params"].get("txid") == order["txid"]]
        assert {entry["method"] for entry in cancels} <= {"CancelOrder", "QueryOrders"}
        assert sum(entry["method"] == "CancelOrder" for entry in cancels) == 1

    async def test_no_answer_shows_a_secret(self, bot: Bot, pair: str, request: pytest.FixtureRequest) -> None:
        """Whose failure shows none either: names of variables alone."""
        paths = ["/healthz", "/metrics", "/v1/status", "/v1/statistics", "/v1/retries", "/v1/balances", "/v1/orders"]
        texts = [(await bot.client.get(path)).text for path in [*paths, f"/v1/ticker/{pair}", "/v1/orders/none"]]
        texts += [(await bot.client.post("/v1/orders", content=body)).text for body in ("{", "{}", '{"pair": 1}')]
        shown = [name for name in SECRETS if any(required(request, name) in text for text in texts)]
        assert not shown

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({"volume": "-1"}, "volume"),
            ({"volume": "NaN"}, "volume"),
            ({"side": "hold"}, "side"),
            ({"price": None}, "price"),
            ({"leverage": 0}, "leverage"),
            ({"nonsense": 1}, "nonsense"),
            ({"id": "1"}, "id"),
        ],
    )
    async def test_a_wrong_order_is_refused_by_name(
        self, bot: Bot, pair: str, body: dict[str, object], named: str
    ) -> None:
        order = {"pair": pair, "side": "buy", "type": "limit", "price": "1.0", "volume": "0.1"}
        refused = await bot.send("POST", "orders", 400, **order | body)
        assert named in refused["error"]

    async def test_unknown_things_are_not_found(self, bot: Bot) -> None:
        assert "Unknown asset pair" in (await bot.get("ticker/NOSUCHPAIR", expected=404))["error"]
        assert "no order" in (await bot.get(f"orders/{bot.new_id()}", expected=404))["error"]


@pytest.mark.sandbox
@pytest.mark.exclusive
async def test_a_market_that_takes_no_orders_is_reported(bot: Bot, sandbox: Sandbox, market: Market) -> None:
    await bot.get(f"ticker/{market.pair}")
    await sandbox.post("status", status="cancel_only")
    order = await bot.order(market.pair, "buy", "0.1", "90.0", expected=422)
    assert (order["status"], order["reason"]) == ("rejected", "EService:Market in cancel_only mode")


@pytest.mark.slow
@pytest.mark.sandbox
async def test_memory_is_stable_under_load(bot: Bot, market: Market, record_property: Any) -> None:
    """A hundred orders and more, each one placed and cancelled once, and what the process holds stays bounded."""
    rounds = int(os.environ.get("LOAD_ROUNDS", "5"))

    async def place_and_cancel() -> None:
        await bot.cancel((await bot.order_for_sure(market.pair, "buy", "0.06", "90.0", post_only=True))["id"])

    for _ in range(2):
        await asyncio.gather(*(place_and_cancel() for _ in range(20)))
    before = await bot.get("statistics")
    for _ in range(rounds):
        await asyncio.gather(*(place_and_cancel() for _ in range(20)))
    after = await bot.get("statistics")
    record_property("resident_bytes", after["resident_bytes"])
    assert after["resident_bytes"] - before["resident_bytes"] < 64 * 2**20
    statuses = [order["status"] for order in (await bot.get("orders", pair=market.pair))["orders"]]
    assert statuses == ["canceled"] * (20 * (rounds + 2))

    async def none_open() -> bool:
        found = [order for order in (await market.orders()).values() if order["status"] == "open"]
        assert not found, found
        return True

    await eventually_async(none_open, "no order open at the exchange")


@pytest.mark.sandbox
@pytest.mark.exclusive
async def test_latency_runs_from_placement_to_execution(bot: Bot, market: Market, record_property: Any) -> None:
    """Five orders that rest until somebody sells: no less than they rested, and no more than it took."""
    name = "kraken_execution_seconds"
    count, seconds = await bot.metric(f"{name}_count"), await bot.metric(f"{name}_sum")
    orders, asked, placed = [], [], []
    for _ in range(5):
        asked.append(time.monotonic())
        orders.append(await bot.order(market.pair, "buy", "0.1", "95.0", post_only=True))
        placed.append(time.monotonic())
    sold = time.monotonic()
    await market.aggress("sell", "95.0", "0.5")
    for order in orders:
        await bot.filled(order["id"])
    known = time.monotonic()
    assert await bot.metric(f"{name}_count") == count + len(orders)
    latency = await bot.metric(f"{name}_sum") - seconds
    assert sum(sold - then for then in placed) <= latency <= sum(known - then for then in asked)
    shown = (await bot.get("statistics"))["execution_ms"]
    record_property("execution_ms", shown)
    assert shown is not None
    assert all(shown[percentile] > 0 for percentile in ("p50", "p95", "p99"))
