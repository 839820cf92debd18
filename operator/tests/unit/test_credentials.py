"""A credential is known by its shape, wherever it turns up and however the text was cut."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_seatrial
from seatrial.agent.inpod import supervisor
from seatrial.credentials import DIGITS, PREFIX, SHAPE, mark, redact

SECRET = PREFIX + "0123456789abcdef" * 3
MARK = mark(SECRET.encode()).decode()
PART = mark(SECRET[:20].encode()).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (SECRET, MARK),
        (f"redis://:{SECRET}@redis:6379/0", f"redis://:{MARK}@redis:6379/0"),
        (f"{SECRET}{SECRET}", MARK * 2),
        (f"{SECRET}abc", f"{MARK}abc"),
        (SECRET[:20], PART),
        (f"{SECRET[:20]}…\ud800", f"{PART}…\ud800"),
        (SECRET[:8], SECRET[:8]),
        ("0123456789abcdef" * 3, "0123456789abcdef" * 3),
        ("the strl of a commit 0123456789", "the strl of a commit 0123456789"),
    ],
)
def test_what_is_redacted(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert pytest_seatrial.redact(text) == expected


def test_what_is_redacted_stays_different() -> None:
    other = SECRET[:-1] + "0"
    assert redact(SECRET) != redact(other)
    assert redact(redact(SECRET)) == redact(SECRET)


def test_all_know_the_same_shape() -> None:
    assert pytest_seatrial.CREDENTIAL.pattern == SHAPE.pattern.decode() == supervisor.CREDENTIAL.decode()
    assert re.fullmatch(supervisor.CREDENTIAL, SECRET.encode())
    assert len(SECRET) == len(PREFIX) + DIGITS
    assert len(SECRET) == supervisor.CREDENTIAL_BYTES
    # Output names no tests, so nothing in it has to stay different.
    assert supervisor.REDACTED == b"[redacted]"
    assert MARK.startswith("[redacted ")
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
    assert _passed_on(chunks) == SHAPE.sub(supervisor.REDACTED, whole)


def test_a_text_is_redacted_before_its_middle_is_left_out() -> None:
    text = f"{SECRET} " * 40
    for limit in range(100, 1500, 7):
        assert not re.search("[0-9a-f]{12}", pytest_seatrial.clip(text, limit, limit // 2))


def test_nothing_is_held_back_while_nothing_more_comes() -> None:
    stream = supervisor.Stream(1)
    stream.take(b"2 tests")
    assert stream.held == b"s"
    stream.take(b"")
    assert bytes(stream.waiting) == b"2 tests"
