"""Many orders at once, counted to the last one. TBOT_LOAD_ORDERS (1000) says how many."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.books import Books

if TYPE_CHECKING:
    from collections.abc import Callable

    from tbot.settings import Settings
    from tests.support.bot import Bot
    from tests.support.contract import Receipt
    from tests.support.orders import Account, Payload

pytestmark = pytest.mark.load
ORDERS = int(os.environ.get("TBOT_LOAD_ORDERS", "1000"))
CLIENTS = 50
REPEATED = 0.3


async def test_orders_of_many_clients(
    bot: Bot, account: Account, run_settings: Settings, record_property: Callable[[str, object], None]
) -> None:
    """Seven of ten are new, the others repeat one of them, in any order."""
    repetitions = int(ORDERS * REPEATED)
    unique = account.orders(ORDERS - repetitions)
    orders = [*unique, *(account.repeated(random.choice(unique)) for _ in range(repetitions))]
    random.shuffle(orders)
    waiting = iter(orders)

    async def client() -> list[tuple[Payload, Receipt]]:
        return [(payload, await bot.place(payload)) for payload in waiting]

    began = time.perf_counter()
    answers = [answer for answers in await asyncio.gather(*(client() for _ in range(CLIENTS))) for answer in answers]
    seconds = time.perf_counter() - began

    outcomes = Counter(receipt.duplicate for _, receipt in answers)
    assert outcomes == {False: len(unique), True: repetitions}
    ids: dict[str, set[str]] = {}
    for payload, receipt in answers:
        ids.setdefault(payload["price"], set()).add(str(receipt.order.order_id))
    assert all(len(found) == 1 for found in ids.values()), "the same content was given two orders"
    await Books(run_settings).assert_exactly(account.name, unique)
    record_property("orders", ORDERS)
    record_property("orders_per_second", round(ORDERS / seconds))
    print(f"{ORDERS} orders of {CLIENTS} clients in {seconds:.2f} s: {ORDERS / seconds:.0f} a second")


async def test_everybody_sends_the_same_order(bot: Bot, account: Account, run_settings: Settings) -> None:
    """The worst contention there is: 200 requests for one row."""
    payload = account.order()
    receipts = await asyncio.gather(*(bot.place(account.repeated(payload)) for _ in range(200)))
    assert Counter(receipt.duplicate for receipt in receipts) == {False: 1, True: 199}
    assert len({receipt.order.order_id for receipt in receipts}) == 1
    await Books(run_settings).assert_exactly(account.name, [payload])
