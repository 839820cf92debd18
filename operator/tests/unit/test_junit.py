"""JUnit XML of the dialects that are about, and of people who mean harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.agent.junit import MAX_BYTES, MAX_CASES, MAX_DEPTH, JunitFormatError, parse_junit
from seatrial.agent.tail import CHUNK
from seatrial.records import ID_BYTES, TEXT_BYTES, Attempt, Collected, CollectError, Finish, Record


def parse(text: str | bytes) -> list[Record]:
    data = text if isinstance(text, bytes) else text.encode()
    return parse_junit((data[start : start + CHUNK] for start in range(0, len(data), CHUNK)), now=7.0)


def attempts(text: str | bytes, *members: str) -> list[tuple[Any, ...]]:
    """Of each attempt its id, outcome and the given members."""
    tests = [record for record in parse(text) if isinstance(record, Attempt)]
    return [(test.id, test.outcome, *(getattr(test, member) for member in members)) for test in tests]


def problems(text: str) -> list[tuple[str, str]]:
    return [(record.id, record.message) for record in parse(text) if isinstance(record, CollectError)]


def test_what_pytest_writes() -> None:
    text = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="0.05">
<testcase classname="tests.test_a" name="test_ok" time="0.010" />
<testcase classname="tests.test_a" name="test_no[é]" time="0.02">
<failure message="AssertionError: no&#10;assert 0">def test_no():
E   assert 0</failure></testcase>
<testcase classname="" name="tests.test_b" time="0.000">
<error message="collection failure">ImportError</error></testcase>
<testcase classname="tests.test_a" name="test_skip" time="0.001">
<skipped type="pytest.skip" message="later">at</skipped></testcase></testsuite></testsuites>"""
    assert attempts(text, "seconds", "message", "text") == [
        ("tests.test_a::test_ok", "passed", 0.01, "", ""),
        ("tests.test_a::test_no[é]", "failed", 0.02, "AssertionError: no", "def test_no():\nE   assert 0"),
        ("pytest::tests.test_b", "error", 0.0, "collection failure", "ImportError"),
        ("tests.test_a::test_skip", "skipped", 0.001, "later", "at"),
    ]
    records = parse(text)
    assert isinstance(records[0], Collected)
    assert (records[0].tests, records[0].total, records[0].at) == (4, 4, 7.0)
    assert records[-1] == Finish(7.0, None, 4)
    assert problems(text) == []


def test_surefire_and_nextest_tell_attempts() -> None:
    text = """<testsuite name="s">
<testcase classname="C" name="flaky" time="1,234.5">
  <flakyFailure message="first">t1</flakyFailure><flakyError type="IOError">t2</flakyError></testcase>
<testcase classname="C" name="broken" time="2">
  <failure message="one">x</failure><rerunFailure message="two">y</rerunFailure><rerunError message="three"/></testcase>
<testcase classname="C" name="odd"><rerunFailure message="only"/></testcase>
</testsuite>"""
    assert attempts(text, "attempt", "final", "message", "seconds") == [
        ("C::flaky", "failed", 1, False, "first", 0.0),
        ("C::flaky", "error", 2, False, "IOError", 0.0),
        ("C::flaky", "passed", 3, True, "", 1234.5),
        ("C::broken", "failed", 1, False, "one", 0.0),
        ("C::broken", "failed", 2, False, "two", 0.0),
        ("C::broken", "error", 3, True, "three", 2.0),
        ("C::odd", "failed", 1, True, "only", 0.0),
    ]
    assert isinstance(parse(text)[0], Collected)
    assert parse(text)[-1] == Finish(7.0, None, 3)


def test_roots_nesting_and_missing_counts() -> None:
    assert attempts('<testsuite><testcase name="a"/></testsuite>') == [("a", "passed")]
    nested = """<testsuites><testsuite name="outer" failures="1"><testsuite name="inner" failures="1">
<testcase name="a"><failure/></testcase></testsuite><testcase name="b"/></testsuite></testsuites>"""
    assert attempts(nested) == [("inner::a", "failed"), ("outer::b", "passed")]
    assert problems(nested) == []
    assert attempts("<testsuites/>") == []
    assert attempts("<testsuites><testsuite name='empty' tests='0'/></testsuites>") == []
    namespaced = '<j:testsuite xmlns:j="urn:x"><j:testcase name="a"><j:error/></j:testcase></j:testsuite>'
    assert attempts(namespaced) == [("a", "error")]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("NaN", 0.0),
        ("", 0.0),
        ("-1", 0.0),
        ("inf", 0.0),
        ("0.5s", 0.0),
        ("1e400", 0.0),
        ("1.5", 1.5),
        ("1,000", 1000.0),
    ],
)
def test_times(time: str, seconds: float) -> None:
    assert attempts(f'<testsuite><testcase name="a" time="{time}"/></testsuite>', "seconds") == [
        ("a", "passed", seconds)
    ]


@pytest.mark.parametrize(
    ("attribute", "outcome"),
    [
        ('status="run" result="completed"', "passed"),
        ('status="notrun" result="suppressed"', "skipped"),
        ('status="disabled"', "skipped"),
        ('result="skipped"', "skipped"),
        ('status="fail"', "failed"),
        ('status="passed"', "passed"),
        ('status="Error"', "error"),
        ('status="run" result="failed"', "failed"),
        ('status="notrun" result="error"', "error"),
    ],
)
def test_a_status_without_an_element(attribute: str, outcome: str) -> None:
    assert attempts(f'<testsuite><testcase name="a" {attribute}/></testsuite>') == [("a", outcome)]


def test_failure_wins_over_skipped_and_the_first_is_told() -> None:
    text = (
        '<testsuite><testcase name="a"><skipped/><failure message="one"/><error message="two"/></testcase></testsuite>'
    )
    assert attempts(text, "message") == [("a", "failed", "one")]


def test_places_are_told_for_what_did_not_pass() -> None:
    text = """<testsuite><testcase name="a" file="t.py" line="3"><failure/></testcase>
<testcase name="b" file="t.py"><failure/></testcase><testcase name="c" file="t.py" line="9"/></testsuite>"""
    assert attempts(text, "location") == [("a", "failed", "t.py:3"), ("b", "failed", "t.py"), ("c", "passed", "")]


def test_the_same_name_twice_is_two_tests() -> None:
    text = '<testsuite><testcase name="a"/><testcase name="a"><failure/></testcase><testcase/></testsuite>'
    assert attempts(text) == [("a", "passed"), ("a (run 2)", "failed"), ("(unnamed)", "passed")]


def test_failures_of_a_suite_are_not_lost() -> None:
    assert problems(
        '<testsuite name="s" failures="2" errors="1"><testcase name="a"><failure/></testcase></testsuite>'
    ) == [("s", "the suite declares 3 failures and errors but lists 1")]
    text = (
        '<testsuites><testsuite name="s" errors="1"><error message="before all">trace</error></testsuite></testsuites>'
    )
    assert problems(text) == [("s", "before all")]
    assert problems("<testsuites><failure/></testsuites>") == [("(suite)", "<failure> in the suite itself")]


def test_elements_in_odd_places_are_no_results() -> None:
    text = """<testsuite><properties><property name="a" value="b"/></properties><system-out>out</system-out>
<testcase name="a"><properties><property name="failure"/></properties><system-out>&lt;failure/&gt;</system-out>
<failure message="m">text<failure/><testcase name="x"/></failure><system-err/></testcase></testsuite>"""
    assert attempts(text, "message") == [("a", "failed", "m")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<testcase name="a"><skipped><failure message="m"/></skipped></testcase>', [("a", "failed", "m")]),
        ('<testcase name="a"><system-out><error message="m"/></system-out></testcase>', [("a", "error", "m")]),
        (
            '<testcase name="a"><flakyFailure><error message="m"/></flakyFailure></testcase>',
            [("a", "failed", ""), ("a", "error", "m")],
        ),
    ],
)
def test_a_failure_in_an_odd_place_is_a_failure(text: str, expected: list[Any]) -> None:
    assert attempts(f"<testsuite>{text}</testsuite>", "message") == expected


def test_a_test_case_inside_the_failure_of_a_suite_is_part_of_its_text() -> None:
    text = '<testsuite name="s"><testcase name="a"/><error message="m"><testcase name="b"/></error></testsuite>'
    assert attempts(text) == [("s::a", "passed")]
    assert problems(text) == [("s", "m")]


def test_a_name_never_takes_the_number_of_another() -> None:
    cases = "".join(f'<testcase name="{name}"/>' for name in ("a", "a (run 2)", "a", "a"))
    assert [name for name, _ in attempts(f"<testsuite>{cases}</testsuite>")] == [
        "a",
        "a (run 2)",
        "a (run 3)",
        "a (run 4)",
    ]


def test_texts_and_names_are_bounded() -> None:
    long = "é" * 100_000
    case = f'<testcase name="{long}1"><failure message="{long}">{long}</failure></testcase><testcase name="{long}2"/>'
    first, second = [record for record in parse(f"<testsuite>{case}</testsuite>") if isinstance(record, Attempt)]
    assert first.id != second.id
    assert len(first.id.encode()) <= ID_BYTES
    assert len(first.message.encode()) <= 512
    assert len(first.text.encode()) <= TEXT_BYTES


def test_other_encodings() -> None:
    text = '<?xml version="1.0" encoding="{}"?><testsuite><testcase name="é"/></testsuite>'
    for encoding in ("iso-8859-1", "utf-16", "windows-1252"):
        assert attempts(text.format(encoding).encode(encoding)) == [("é", "passed")]


ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 26))
BOMB = f'<!DOCTYPE x [<!ENTITY e0 "aaaaaaaaaa">{ENTITIES}]><testsuite>&e25;</testsuite>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("not xml", "not well-formed XML: syntax error: line 1, column 0"),
        ("<testsuite><testcase name='a'>", "not well-formed XML: no element found"),
        ("<testsuite/><testsuite/>", "not well-formed XML: junk after document element"),
        ("<html/>", "the root is <html>; expected <testsuites> or <testsuite>"),
        ("<testsuite>\0</testsuite>", "not well-formed XML"),
        (b"<testsuite>\xff</testsuite>", "not well-formed XML"),
        (
            '<?xml version="1.0" encoding="klingon"?><testsuite/>',
            "unknown encoding: klingon|not well-formed XML: unknown",
        ),
        ("<!DOCTYPE x><testsuite/>", "document type declaration, which is not accepted"),
        ('<!DOCTYPE x SYSTEM "http://x/x.dtd"><testsuite/>', "document type declaration"),
        (BOMB, "document type declaration"),
        ("<testsuite>" * (MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH}"),
        ("<testsuite>" * 200_000, f"nested deeper than {MAX_DEPTH}"),
        ("<testsuite>" + "<testcase/>" * (MAX_CASES + 1), f"more than {MAX_CASES} tests"),
        ("<testsuite>" + " " * MAX_BYTES, "larger than 20 MiB"),
        ("<testsuite><testcase>" + "<rerunFailure/>" * 101, "more than 100 attempts"),
        ("<testsuite><testcase><testcase/></testcase></testsuite>", "a <testcase> inside a test case"),
        ("<testsuite><testcase><testsuite/></testcase></testsuite>", "a <testsuite> inside a test case"),
        ("<testsuite><testcase><skipped><testcase/>", "a <testcase> inside a test case"),
        ("<testsuite><!--" + " " * (3 << 20) + "-->", "a tag or comment of more than 2 MiB"),
        ("<testsuite>" + f"<testcase>{'<rerunFailure/>' * 99}</testcase>" * 9000, "more than 32 MiB of names"),
    ],
    ids=range(21),
)
def test_what_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(JunitFormatError, match=message):
        parse(text)


def test_everything_up_to_the_limits_is_read() -> None:
    text = "<testsuite>" + "".join(f'<testcase name="{n}"/>' for n in range(MAX_CASES)) + "</testsuite>"
    assert parse(text)[-1] == Finish(7.0, None, MAX_CASES)


TAGS = st.sampled_from(
    ["testsuites", "testsuite", "testcase", "failure", "error", "skipped", "flakyFailure", "rerunError"]
)
TREES = st.recursive(
    st.text("ab<>&é", max_size=3).map(lambda text: text.replace("&", "&amp;").replace("<", "&lt;")),
    lambda inner: st.builds(
        lambda tag, name, body: f'<{tag} name="{name}" failures="1">{"".join(body)}</{tag}>',
        TAGS,
        st.text("ab", max_size=2),
        st.lists(inner, max_size=3),
    ),
    max_leaves=15,
)


@given(TREES)
def test_any_tree_is_read_or_refused(tree: str) -> None:
    """Every test case that is not inside another one is counted, once."""
    try:
        records = parse(f"<testsuites>{tree}</testsuites>")
    except JunitFormatError:
        return
    finals = [record.id for record in records if isinstance(record, Attempt) and record.final]
    assert len(set(finals)) == len(finals)
    assert isinstance(records[0], Collected)
    assert records[0].tests == len(finals)
    if "<failure" in tree and "<testcase" not in tree:
        assert any(isinstance(record, CollectError) for record in records)


@given(st.binary(max_size=100), st.integers(1, 20))
def test_any_bytes_are_read_or_refused(data: bytes, size: int) -> None:
    whole = b"<testsuite>" + data
    try:
        parse_junit([whole[start : start + size] for start in range(0, len(whole), size)], now=0.0)
    except JunitFormatError as error:
        assert str(error)  # noqa: PT017  # either is right
