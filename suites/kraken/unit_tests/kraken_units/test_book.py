"""Against the worked example of the exchange's guide "Book checksum (WebSocket v2)"."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kraken.book import OrderBook, checksum
from kraken.errors import DataError
from kraken.pairs import Pair

ASKS = [
    ("45285.2", "0.00100000"), ("45286.4", "1.54571953"), ("45286.6", "1.54571109"), ("45289.6", "1.54560911"),
    ("45290.2", "0.15890660"), ("45291.8", "1.54553491"), ("45294.7", "0.04454749"), ("45296.1", "0.35380000"),
    ("45297.5", "0.09945542"), ("45299.5", "0.18772827"),
]  # fmt: skip
BIDS = [
    ("45283.5", "0.10000000"), ("45283.4", "1.54582015"), ("45282.1", "0.10000000"), ("45281.0", "0.10000000"),
    ("45280.3", "1.54592586"), ("45279.0", "0.07990000"), ("45277.6", "0.03310103"), ("45277.5", "0.30000000"),
    ("45277.3", "1.54602737"), ("45276.6", "0.15445238"),
]  # fmt: skip
CHECKSUM = 3310070434
ONE = Decimal(1)
PAIR = Pair("XBTUSD", "XXBTZUSD", "BTC/USD", "XXBT", "ZUSD", 1, 8, ONE, ONE, ONE, ONE)


def levels(side: list[tuple[str, str]]) -> list[dict[str, Decimal]]:
    return [{"price": Decimal(price), "qty": Decimal(volume)} for price, volume in side]


def book(depth: int = 10) -> OrderBook:
    found = OrderBook(PAIR, depth)
    found.replace({"asks": levels(ASKS), "bids": levels(BIDS), "checksum": CHECKSUM})
    return found


def test_the_published_example() -> None:
    assert book().asks[0] == (Decimal("45285.2"), Decimal("0.001"))
    assert book().bids[0] == (Decimal("45283.5"), Decimal("0.1"))


def test_a_wrong_checksum_is_noticed() -> None:
    with pytest.raises(DataError, match=f"checksum {CHECKSUM}, the exchange's {CHECKSUM + 1}"):
        OrderBook(PAIR, 10).replace({"asks": levels(ASKS), "bids": levels(BIDS), "checksum": CHECKSUM + 1})


def test_what_falls_below_the_depth_is_forgotten() -> None:
    mine = book()
    asks = [(Decimal("45285.1"), Decimal("0.5")), *mine.asks[:9]]
    mine.update({"asks": levels([("45285.1", "0.5")]), "checksum": checksum(asks, mine.bids, PAIR)})
    assert mine.asks == asks


def test_nothing_of_a_level_removes_it() -> None:
    mine = book()
    bids = mine.bids[1:]
    mine.update({"bids": levels([("45283.5", "0")]), "checksum": checksum(mine.asks, bids, PAIR)})
    assert mine.bids == bids


def test_a_crossed_book_is_refused() -> None:
    crossed = {"asks": levels([("100.0", "1")]), "bids": levels([("101.0", "1")])}
    expected = checksum([(Decimal(100), ONE)], [(Decimal(101), ONE)], PAIR)
    with pytest.raises(DataError, match="crossed"):
        OrderBook(PAIR, 10).replace({**crossed, "checksum": expected})
