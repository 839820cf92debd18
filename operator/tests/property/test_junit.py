"""JUnit XML from a tenant: no test, and above all no failure, goes missing; nothing takes the relay's memory."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial.agent import junit
from seatrial.agent.junit import JunitFormatError, parse_junit
from seatrial.records import Attempt, Collected, CollectError, Finish, Garbage, Record, dump_record, parse_record
from tests.builders import evidence_of, over_pod
from tests.property.test_relay_lines import sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

from seatrial.verdict import State, judge_shard

PEAK_BYTES = 56 << 20
"""The relay has 96 MiB, of which Python takes a sixth before it does anything."""
CHUNK = 1 << 18

NAMES = st.sampled_from(["", "a", "a (run 2)", "a (run 3)", "b", "é𝄞", "x" * 1100])
BAD = {"failure", "error"}
PARTS = ["failure", "error", "skipped", "flakyFailure", "flakyError", "rerunFailure", "rerunError", "system-out"]
STATUS = ["", "run", "notrun", "fail", "failed", "error", "passed", "completed", "suppressed", "timeout"]


@st.composite
def elements(draw: st.DrawFn, tags: tuple[str, ...], depth: int = 3) -> str:
    """An element with whatever inside; test cases and suites may be anywhere."""
    tag = draw(st.sampled_from(tags))
    name, status = draw(NAMES), draw(st.sampled_from(STATUS))
    attributes = f" name={quoteattr(name)}" if name else ""
    attributes += f" status={quoteattr(status)}" if tag == "testcase" and status else ""
    if tag == "testsuite":
        attributes += f' failures="{draw(st.sampled_from(["0", "1", "x", "-1", "99999999999"]))}"'
    if tag in PARTS:
        attributes += f" message={quoteattr(draw(st.sampled_from(['', 'no', 'é' * 600])))}"
    inside = draw(st.lists(elements((*PARTS, "testcase", "testsuite"), depth - 1), max_size=3)) if depth else []
    return f"<{tag}{attributes}>{'text'.join(['', *inside, ''])}</{tag}>"


DOCUMENTS = elements(("testsuite", "testsuites"))


def parse(text: bytes) -> list[Record]:
    return parse_junit((text[at : at + CHUNK] for at in range(0, len(text), CHUNK)), now=7.0)


def check(records: list[Record]) -> None:
    """What the records of a file are, whatever was in it."""
    first, last = records[0], records[-1]
    assert isinstance(first, Collected)
    assert isinstance(last, Finish)
    ids = [record.id for record in records if isinstance(record, Attempt) and record.final]
    assert first.tests == first.total == last.ran == len(ids) == len(set(ids))
    for record in records:
        sound(record)
        assert isinstance(record, Collected | CollectError | Attempt | Finish)
        assert parse_record(dump_record(record)) == record
    evidence = evidence_of(records)
    assert (evidence.finals, evidence.not_run, evidence.lost) == (len(ids), 0, "")
    assert set(evidence.tests) == set(ids)


@given(DOCUMENTS)
@example("<testsuite><testcase name='a'/><error><testcase name='b'/></error></testsuite>")
@example("<testsuite><testcase name='a'><skipped><failure/></skipped></testcase></testsuite>")
@example("<testsuite><testcase name='a'><testcase name='b'/><failure/></testcase></testsuite>")
@example("<testsuite><testcase name='a'/><testcase name='a (run 2)'/><testcase name='a'/></testsuite>")
@example("<testsuite><testcase name='a' status='error'/></testsuite>")
def test_no_failure_goes_missing(text: str) -> None:
    """If the file holds a failure anywhere, the suite has not passed."""
    try:
        records = parse(text.encode())
    except JunitFormatError:
        return
    check(records)
    judgement = judge_shard(evidence_of(records), over_pod(), shards=1, junit=True)
    failing = any(f"<{tag}" in text for tag in BAD)
    failing |= any(f'status="{status}"' in text for status in ("fail", "failed", "error", "timeout"))
    if failing:
        assert judgement.state in {State.FAILED, State.ERROR}


CASES = st.lists(
    st.tuples(NAMES, st.sampled_from(["", *PARTS[:3]]), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=8
)


@given(CASES)
def test_every_case_of_a_plain_file_is_counted(cases: list[tuple[str, str, int, int]]) -> None:
    body = ""
    for name, result, before, again in cases:
        inner = "<flakyFailure/>" * (before if not result else 0)
        inner += f"<{result}/>" if result else ""
        inner += "<rerunError/>" * (again if result in BAD else 0)
        body += f"<testcase classname='C' name={quoteattr(name)}>{inner}</testcase>"
    records = parse(f"<testsuite>{body}</testsuite>".encode())
    check(records)
    outcomes = [record.outcome for record in records if isinstance(record, Attempt) and record.final]
    expected = {"": "passed", "failure": "failed", "error": "error", "skipped": "skipped"}
    assert len(outcomes) == len(cases)
    for outcome, (_, result, _, again) in zip(outcomes, cases, strict=True):
        assert outcome == ("error" if result in BAD and again else expected[result])


@given(st.data())
def test_any_bytes_are_records_or_an_error(data: st.DataObject) -> None:
    encoding = data.draw(st.sampled_from(["utf-8", "utf-16", "utf-16-le", "latin-1", "ascii", "utf-32", "utf-7"]))
    declared = data.draw(
        st.sampled_from(["utf-8", "utf-16", "cp1252", "idna", "rot13", "zlib", "undefined", "shift_jis"])
    )
    head = f'<?xml version="1.0" encoding="{declared}"?>' if data.draw(st.booleans()) else ""
    whole = (head + data.draw(DOCUMENTS)).encode(encoding, "replace")
    cut = data.draw(st.integers(0, len(whole)))
    for text in (whole, whole[:cut], whole[:cut] + data.draw(st.binary(max_size=9)) + whole[cut:], whole[cut:]):
        try:
            check(parse(text))
        except JunitFormatError as error:
            sound(Garbage(0, str(error)[:100]))


def wide(count: int, text: str) -> str:
    """Text of which Python takes four bytes for each character."""
    return "𝄞" + text * count


def cases(count: int, inner: str = "", attributes: str = "") -> Iterator[str]:
    """Test cases that differ by their number, which stands where there is a `#`."""
    for number in range(count):
        head = f'<testcase name="{number}"' if "name=" not in attributes else "<testcase"
        yield f"{head} {attributes}>{inner}</testcase>".replace("#", str(number))


MANY, HUGE = 12_000, 4_900_000
HOSTILE: dict[str, Callable[[], Iterable[str]]] = {
    "names": lambda: cases(4700, attributes=f'name="{wide(980, "a")}#"'),
    "a name of a suite": lambda: ['<testsuite name="' + "a" * 255 + '">', *["<testcase/>"] * MANY, "</testsuite>"],
    "attempts": lambda: cases(3200, "<rerunFailure/>" * 99),
    "messages": lambda: cases(MANY, f'<failure message="{wide(125, "m")}#"/>'),
    "texts": lambda: cases(600, f"<failure>{wide(8000, 't')}#</failure>"),
    "places": lambda: cases(MANY, "<skipped/>", f'file="{wide(200, "f")}#"'),
    "an attribute": lambda: ['<testcase name="', wide(HUGE, "a"), '"/>'],
    "an attribute that is just taken": lambda: ['<testcase name="', wide(junit.MAX_TOKEN_BYTES - 999, "a"), '"/>'],
    "attributes": lambda: ["<testcase ", *(f'a{n}="" ' for n in range(350_000)), "/>"],
    "attributes that are just taken": lambda: ["<testcase ", *(f'a{n}="" ' for n in range(45_000)), "/>"],
    "a comment": lambda: ["<!--", "a" * HUGE, "-->"],
    "one text": lambda: ["<testcase><failure>", wide(HUGE, "a"), "</failure></testcase>"],
    "a tag": lambda: ["<", "a" * HUGE, "/>"],
    "problems": lambda: (f'<testsuite><error message="{wide(500, "m")}{n}"/></testsuite>' for n in range(7500)),
    "empty suites": lambda: ["<testsuite/>"] * 390_000,
}


def encoded(parts: Iterable[str]) -> Iterator[bytes]:
    """The document in chunks, as the relay reads it."""
    chunk = bytearray(b"<testsuites>")
    for part in parts:
        chunk += part.encode()
        while len(chunk) >= CHUNK:
            yield bytes(chunk[:CHUNK])
            del chunk[:CHUNK]
    yield bytes(chunk) + b"</testsuites>"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_takes_bounded_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a quarter of every bound, since tracing makes the parser ten times as slow."""
    for bound in ("MAX_BYTES", "MAX_CASES", "MAX_TOKEN_BYTES", "TEXT_BUDGET", "MEMORY_BUDGET"):
        monkeypatch.setattr(junit, bound, getattr(junit, bound) // 4)
    monkeypatch.setattr(junit, "MAX_SECONDS", 600.0)
    chunks = list(encoded(HOSTILE[name]()))
    assert sum(map(len, chunks)) <= junit.MAX_BYTES
    tracemalloc.start()
    try:
        records = parse_junit(chunks, now=7.0)
        assert len(records) <= 3 * junit.MAX_CASES
    except JunitFormatError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak <= PEAK_BYTES // 4, f"{peak} bytes"
