"""A credential is known by its shape, wherever it turns up and however the text was cut."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.agent.inpod import supervisor
from seatrial.credentials import DIGITS, MARK, PREFIX, redact, redact_bytes

SECRET = PREFIX + "0123456789abcdef" * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (SECRET, MARK),
        (f"redis://:{SECRET}@redis:6379/0", f"redis://:{MARK}@redis:6379/0"),
        (f"{SECRET}{SECRET}", MARK * 2),
        (f"{SECRET}abc", f"{MARK}abc"),
        (SECRET[:20], MARK),
        (f"{SECRET[:20]}…", f"{MARK}…"),
        (SECRET[:8], SECRET[:8]),
        ("0123456789abcdef" * 3, "0123456789abcdef" * 3),
        ("the strl of a commit 0123456789", "the strl of a commit 0123456789"),
    ],
)
def test_what_is_redacted(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact_bytes(text.encode()) == expected.encode()


def test_the_supervisor_knows_the_same_shape() -> None:
    assert re.fullmatch(supervisor.CREDENTIAL, SECRET.encode())
    assert len(SECRET) == len(PREFIX) + DIGITS
    assert len(SECRET) == supervisor.CREDENTIAL_BYTES
    assert MARK.encode() == supervisor.REDACTED
    assert supervisor.CREDENTIAL[:4] == PREFIX.encode()


def _passed_on(chunks: list[bytes]) -> bytes:
    stream = supervisor.Stream(1)
    for chunk in chunks:
        stream.take(chunk)
    stream.take(b"")
    return bytes(stream.waiting)


@given(
    words=st.lists(st.one_of(st.just(SECRET), st.just("s"), st.just("str"), st.text(max_size=30)), max_size=12),
    cuts=st.lists(st.integers(0, 700), max_size=12),
)
def test_output_is_redacted_however_it_is_cut(words: list[str], cuts: list[int]) -> None:
    whole = " ".join(words).encode()
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    chunks = [whole[a:b] for a, b in pairwise(places) if a < b]
    assert _passed_on(chunks) == redact_bytes(whole)


def test_nothing_is_held_back_while_nothing_more_comes() -> None:
    stream = supervisor.Stream(1)
    stream.take(b"2 tests")
    assert stream.held == b"s"
    stream.take(b"")
    assert bytes(stream.waiting) == b"2 tests"
