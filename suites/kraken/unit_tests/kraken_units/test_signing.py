"""Against the vector that the exchange publishes in its guide "Spot REST Authentication"."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kraken.signing import Nonces, encode, sign
from kraken_sandbox.signature import expected_signature, is_signed

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="  # noqa: S105
NONCE = 1616492376594
ORDER = {"ordertype": "limit", "pair": "XBTUSD", "price": "37500", "type": "buy", "volume": "1.25"}
BODY = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
PATH = "/0/private/AddOrder"
SIGNATURE = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="


def test_the_published_vector() -> None:
    assert encode(NONCE, ORDER) == BODY
    assert sign(PATH, NONCE, BODY, SECRET) == SIGNATURE


def test_the_sandbox_expects_the_published_vector() -> None:
    assert expected_signature(PATH, str(NONCE), BODY.encode(), SECRET) == SIGNATURE


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20)), st.integers(1, 2**63))
def test_service_and_sandbox_agree(params: dict[str, str], nonce: int) -> None:
    params.pop("nonce", None)
    body = encode(nonce, params)
    signature = sign(PATH, nonce, body, SECRET)
    assert is_signed(signature, PATH, str(nonce), body.encode(), SECRET)
    for path, number, other in ((PATH + "s", nonce, body), (PATH, nonce + 1, body), (PATH, nonce, body + "&x=1")):
        assert not is_signed(signature, path, str(number), other.encode(), SECRET)


@given(st.lists(st.integers(-10_000, 10_000), max_size=50))
def test_nonces_rise_though_the_clock_does_not(steps: list[int]) -> None:
    now = [10**18]
    nonces = Nonces(lambda: now[0])
    drawn = [nonces.next()]
    for step in steps:
        now[0] += step
        drawn.append(nonces.next())
    assert drawn == sorted(set(drawn))
