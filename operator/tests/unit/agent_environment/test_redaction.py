from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from seatrial.agent.environment.redaction import MARK, Redactor


def test_every_credential_is_replaced_and_nothing_else() -> None:
    redact = Redactor(
        {
            "REDIS_PASSWORD": "hunter2",
            "INFLUXDB_TOKEN": "tok/en+1",
            "DATABASE_URL": "postgresql://test:p%40ss@postgres:5432/test",
            "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
            "EMPTY_PASSWORD": "",
        }
    )
    text = "kafka:9092 hunter2 tok/en+1 tok%2Fen%2B1 postgresql://test:p%40ss@postgres:5432/test p@ss"
    assert redact(text) == f"kafka:9092 {MARK} {MARK} {MARK} postgresql://test:{MARK}@postgres:5432/test {MARK}"


def test_a_secret_that_is_part_of_another_leaves_no_rest() -> None:
    assert Redactor({"A_PASSWORD": "abc", "B_PASSWORD": "abcdef"})("xabcdefx") == f"x{MARK}x"


def test_a_url_that_is_none_is_no_error() -> None:
    assert Redactor({"REDIS_URL": "redis://[half"})("text") == "text"


@given(
    secret=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]redacted"), min_size=1),
    before=st.text(),
    after=st.text(),
)
def test_no_secret_survives_in_any_form(secret: str, before: str, after: str) -> None:
    redact = Redactor({"X_PASSWORD": secret})
    for form in (secret, repr(secret)[1:-1], quote(secret, safe="")):
        assert secret not in redact(before + form + after).replace(MARK, "")
