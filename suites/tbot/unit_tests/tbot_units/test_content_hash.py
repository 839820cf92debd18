from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given

from tbot.bugs import Bug
from tbot.content_hash import content_hash
from tbot.orders import OrderRequest, Side

from .strategies import requests

CONTENT = ("account", "symbol", "side", "quantity", "price")
ORDER = OrderRequest(
    client_order_id="one", account="a", symbol="BTC-USD", side=Side.BUY, quantity=Decimal("0.5"), price=Decimal(45000)
)


def test_hash_is_stable() -> None:
    """It is stored: another one would accept everything a second time after an update."""
    assert content_hash(ORDER) == "30b503b3559a584a83890fdbb8c2e3fd7e07b014fad2b896d8df748f672c3886"


@given(requests(), requests())
def test_two_orders_have_one_hash_exactly_when_their_content_is_one(one: OrderRequest, other: OrderRequest) -> None:
    same = all(getattr(one, name) == getattr(other, name) for name in CONTENT)
    assert (content_hash(one) == content_hash(other)) == same


@given(requests(), requests())
def test_ids_are_no_content(order: OrderRequest, other: OrderRequest) -> None:
    renamed = order.model_copy(update={"client_order_id": other.client_order_id})
    assert content_hash(renamed) == content_hash(order)


@given(requests(), requests())
def test_each_member_is_content(one: OrderRequest, other: OrderRequest) -> None:
    for name in CONTENT:
        value = getattr(other, name)
        changed = one.model_copy(update={name: value})
        assert (content_hash(changed) == content_hash(one)) == (value == getattr(one, name))


@pytest.mark.parametrize("written", ["0.5", "0.50", "0.50000000", "5E-1", "00.5"])
def test_the_same_money_is_the_same_content(written: str) -> None:
    order = OrderRequest.model_validate(ORDER.model_dump() | {"quantity": written})
    assert content_hash(order) == content_hash(ORDER)


@given(requests(), requests())
def test_members_are_not_run_together(one: OrderRequest, other: OrderRequest) -> None:
    """Account `a1` with symbol `BTC-USD` is not account `a` with another symbol that begins with 1."""
    assume(one.account != other.account)
    joined = one.model_copy(update={"account": one.account + "1"})
    assert content_hash(joined) != content_hash(one)


def test_deliberate_bugs_change_it() -> None:
    hashes = {content_hash(ORDER, bug) for bug in (None, Bug.HASH_WITH_CLIENT_ID, Bug.HASH_WITHOUT_PRICE)}
    assert len(hashes) == 3
