"""The report page in a real browser: what it shows, that it asks nobody for anything, and that nothing in it runs."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import sync_playwright

from hack import programs
from seatrial.cli.cases import cases
from seatrial.cli.report import render
from seatrial.cli.report.timeline import MAX_BARS, duration, timeline
from tests.sample_records import at, attempt, big, hostile, mixed, piece, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from seatrial.cli.record import RunRecord

SCREENSHOTS = "SEATRIAL_SCREENSHOTS"
"""A folder: the pages are left there to be looked at."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = programs.browser()
    assert path is not None, f"there is no browser: make programs, or name one with {programs.BROWSER_VARIABLE}"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield running
        finally:
            running.close()


@dataclass
class Opened:
    """A page in the browser, and what it has done."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def show(browser: Browser, folder: Path) -> Iterator[Any]:
    contexts = []

    def shown(run: RunRecord, **options: Any) -> Opened:
        path = folder / "report.html"
        path.write_text(render(run), encoding="utf-8")
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.complaints.append(message.text))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on(
            "dialog", lambda dialog: (opened.complaints.append(f"dialog {dialog.message}"), dialog.dismiss())
        )
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(path.as_uri())
        return opened

    yield shown
    for context in contexts:
        context.close()


def picture(opened: Opened, name: str) -> None:
    folder = os.environ.get(SCREENSHOTS)
    if folder:
        opened.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def is_alone(opened: Opened) -> None:
    """Nobody was asked for anything, and nothing was complained about."""
    assert [url.partition(":")[0] for url in opened.requests if not url.startswith("data:")] == ["file"]
    assert opened.complaints == []


def texts(page: Page, selector: str) -> list[str]:
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


def test_the_page_says_what_happened(show: Any) -> None:
    opened = show(mixed())
    page = opened.page
    assert page.title() == "Failed: position-manager"
    assert page.locator("h1 .phase").inner_text() == "Failed"
    assert page.locator(".why").inner_text().startswith("TestsFailed 2 of 10 tests failed")
    assert [text.split("\n") for text in texts(page, ".counts li")] == [
        ["4", "passed"], ["1", "failed"], ["2", "errors"], ["1", "skipped"], ["1", "expected failures"],
        ["1", "unexpected passes"], ["1", "flaky"],
    ]  # fmt: skip
    failures = page.locator("section:has(#failures) > details")
    assert failures.count() == 3
    first = failures.first
    assert "assert sum(position.values()) == 0" in first.locator(".body > pre").inner_text()
    assert first.locator(".location").inner_text() == "tests/test_core.py:20"
    assert first.locator(".attempt summary").inner_text().startswith("Attempt 1: failed")
    assert texts(page, "section:has(#flaky) .case") == ["test_is_flaky"]
    assert texts(page, ".slowest .case")[:2] == ["test_fills", "test_orders[BTC-PERP]"]
    assert page.locator("#tests tbody tr").count() == 10
    lanes = texts(page, ".timeline .lane:not(.axis) .name")
    assert lanes[1:] == ["kafka", "redis", "position-manager", "core", "flow [0]", "flow [1]"]
    is_alone(opened)
    picture(opened, "light")


def test_bars_stand_where_their_times_are(show: Any) -> None:
    page = show(mixed()).page
    lane = page.locator(".lane.suite").first.locator("svg")
    box = lane.bounding_box()
    fails = page.locator(".lane.suite").first.locator("rect.failed").bounding_box()
    assert box is not None
    assert fails is not None
    # From 0.1 s to 8.4 s; the second attempt of test_fails began at 4.7 s and took 1.2 s.
    assert fails["x"] - box["x"] == pytest.approx(box["width"] * 4.6 / 8.3, abs=2)
    assert fails["width"] == pytest.approx(box["width"] * 1.2 / 8.3, abs=2)


def test_the_filter_finds(show: Any) -> None:
    opened = show(mixed())
    page = opened.page
    rows = page.locator("#tests tbody tr")
    page.get_by_label("Filter").fill("flow orders")
    assert texts(page, "#tests .case") == ["test_orders[BTC-PERP]"]
    assert page.get_by_role("status").inner_text() == "1 of 10 fit."
    page.get_by_label("Filter").fill("exchange does not answer")
    assert texts(page, "#tests .case") == ["test_errors"]
    page.get_by_label("Filter").fill("no such test")
    assert page.get_by_role("status").inner_text() == "No test fits."
    page.get_by_label("Filter").fill("")
    for name in ("passed", "errors", "skipped", "expected failures", "unexpected passes"):
        page.get_by_label(name, exact=True).uncheck()
    assert texts(page, "#tests .case") == ["TestBook::test_fails"]
    page.get_by_label("passed", exact=True).check()
    page.get_by_label("only retried").check()
    assert rows.count() == 2
    page.get_by_label("only retried").uncheck()
    page.get_by_label("Order").select_option("slow")
    assert texts(page, "#tests .case")[0] == "test_fills"
    is_alone(opened)


def test_a_run_that_passed(show: Any) -> None:
    run = record(
        [piece("counter", 0, [attempt("test_counter.py::test_one", begin=1.4, seconds=0.02)])],
        name="quickstart",
        timings={
            "started": at(0),
            "environmentReady": at(1.3),
            "firstTest": at(1.4),
            "lastTest": at(1.5),
            "finished": at(1.6),
        },
        services=[{"name": "redis", "ready": True, "readyAfterSeconds": 0.08, "image": "redis:8"}],
        suites=[{"name": "counter", "state": "Passed", "durationSeconds": 0.1}],
    )
    opened = show(run)
    assert opened.page.locator("h1 .phase").inner_text() == "Passed"
    assert opened.page.locator("#failures, #flaky").count() == 0
    is_alone(opened)
    picture(opened, "passed")


@pytest.mark.parametrize("status", [{}, {"phase": "Error", "reason": "InvalidImage", "message": "no such image"}])
def test_a_run_without_tests(show: Any, status: dict[str, Any]) -> None:
    opened = show(record([], **status))
    assert opened.page.locator("section:has(#all)").inner_text().split("\n")[-1] == "No test has run."
    assert opened.page.locator("#tests, #filter").count() == 0
    is_alone(opened)


def test_hostile_texts_are_texts(show: Any) -> None:
    opened = show(hostile())
    page = opened.page
    assert page.locator("script").count() == 2, "the page's own"
    assert page.locator("h1 script, main script:not(#data)").count() == 0
    assert (
        "<script>alert(1)</script>\"'&]]></script><!--\\x00red\\u202e{{7*7}}%0A::error::|`"
        in page.locator("pre").first.inner_text()
    )
    assert page.locator("#tests tbody tr").count() == 3
    is_alone(opened)


def test_a_script_that_got_in_would_not_run(show: Any, folder: Path) -> None:
    opened = show(mixed())
    page = opened.page
    path = folder / "report.html"
    path.write_text(
        path.read_text(encoding="utf-8").replace("<main", "<script>alert(1)</script><main"), encoding="utf-8"
    )
    page.reload()
    assert not any(complaint.startswith("dialog") for complaint in opened.complaints)
    assert any("Content Security Policy" in complaint for complaint in opened.complaints)


def test_the_page_asks_no_server_either(browser: Browser) -> None:
    """Served, not opened as a file: nothing but the page itself is asked for."""
    html, asked = render(mixed()).encode(), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        ended: Future[None] = Future()
        thread = threading.Thread(target=lambda: ended.set_result(server.serve_forever(0.05)))
        thread.start()
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/", wait_until="networkidle")
        context.close()
        server.shutdown()
        thread.join()
    assert asked == ["/"]


def test_five_thousand_tests_can_be_used(show: Any, folder: Path) -> None:
    opened = show(big())
    page = opened.page
    assert (folder / "report.html").stat().st_size < 1_500_000
    assert page.locator("#tests tbody tr").count() == 200, "the others come when they are asked for"
    assert page.get_by_role("status").inner_text() == "Showing 200 of 5000."
    page.get_by_role("button", name="Show more").click()
    assert page.locator("#tests tbody tr").count() == 400
    page.get_by_label("Filter").fill("test_case[4999]")
    assert texts(page, "#tests .case") == ["TestThing::test_case[4999]"]
    assert page.locator("rect").count() < 4 * 300 + 100
    is_alone(opened)
    page.get_by_label("Filter").fill("")
    picture(opened, "big")


def _luminance(color: str) -> float:
    parts = [float(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


CONTRASTS = """() => [...document.querySelectorAll(
    "h1, h2, p, dt, dd, li, th, td, summary, label, pre, .badge, .phase, .mark, .test span, .message, .note, .meta")]
  .filter((item) => item.offsetParent !== null && item.innerText.trim())
  .map((item) => {
    let behind = item, back = "rgba(0, 0, 0, 0)";
    for (; behind && back === "rgba(0, 0, 0, 0)"; behind = behind.parentElement)
      back = getComputedStyle(behind).backgroundColor;
    return [item.tagName + "." + item.className, getComputedStyle(item).color, back];
  })"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(show: Any, scheme: str) -> None:
    """The contrast that WCAG asks for at level AA, 4.5 to 1, of everything that is written."""
    opened = show(mixed(), color_scheme=scheme)
    pairs = {tuple(item) for item in opened.page.evaluate(CONTRASTS)}
    assert len(pairs) > 20
    for name, text, back in pairs:
        lighter, darker = sorted((_luminance(text), _luminance(back)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (name, text, back)
    picture(opened, scheme)


def test_light_and_dark_differ(show: Any) -> None:
    backs = [
        show(mixed(), color_scheme=scheme).page.evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert _luminance(backs[0]) > 0.8
    assert _luminance(backs[1]) < 0.05


def test_everything_can_be_reached_and_has_a_name(show: Any) -> None:
    page = show(mixed()).page
    assert page.evaluate("document.documentElement.lang") == "en"
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((item) => Number(item.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    unnamed = """[...document.querySelectorAll("input, select, button, svg[role=img], [role=region], section")]
      .filter((item) =>
      !(item.labels && item.labels.length) && !item.innerText?.trim() && !item.getAttribute("aria-label")
      && !item.getAttribute("aria-labelledby")).length"""
    assert page.evaluate(unnamed) == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((item) => item.id)")
    assert len(ids) == len(set(ids))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the results"


def test_a_small_screen_needs_no_sideways_scrolling(show: Any) -> None:
    opened = show(mixed(), viewport={"width": 375, "height": 800})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 375
    picture(opened, "small")


def test_print_shows_what_is_folded(show: Any) -> None:
    opened = show(mixed())
    page = opened.page
    assert len(page.pdf()) > 10_000
    page.emulate_media(media="print")
    assert not page.locator("#filter").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    is_alone(opened)


def test_many_attempts_are_summed_up_by_column() -> None:
    drawn = timeline(big(), _cases(big()))
    assert drawn is not None
    assert all(len(lane.bars) <= 300 for lane in drawn.lanes)
    assert any(bar.kind == "failed" for lane in drawn.lanes for bar in lane.bars), "a failure is seen among thousands"
    few = timeline(mixed(), _cases(mixed()))
    assert few is not None
    assert sum(len(lane.bars) for lane in few.lanes if lane.group == "suite") == 11 <= MAX_BARS


def _cases(run: RunRecord) -> Any:
    return cases(run)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0004, "0.4 ms"),
        (0.0099, "9.9 ms"),
        (0.0214, "21 ms"),
        (0.9999, "1.0 s"),
        (1.25, "1.2 s"),
        (59.96, "1 min 00 s"),
        (3725, "1 h 02 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


WILD = st.none() | st.text(max_size=8) | st.floats() | st.integers(-5, 10**12)
STATUS = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(["Passed", "Failed", "Error", "Cancelled", "Running", "?"]),
        "message": st.text(),
        "timings": st.dictionaries(
            st.sampled_from(["accepted", "started", "environmentReady", "firstTest", "lastTest", "finished"]),
            st.datetimes().map(lambda time: time.isoformat() + "+00:00") | st.text(max_size=5),
        ),
        "services": st.lists(
            st.fixed_dictionaries({}, optional={"name": st.text(), "ready": st.booleans(), "readyAfterSeconds": WILD}),
            max_size=3,
        ),
        "suites": st.lists(st.fixed_dictionaries({"name": st.text()}, optional={"durationSeconds": WILD}), max_size=2),
        "summary": st.dictionaries(st.just("notRun"), WILD),
    },
)


@settings(max_examples=60)
@given(
    STATUS,
    st.lists(
        st.builds(attempt, st.text(), st.text(max_size=8), st.floats(-1e12, 1e12), st.floats(0, 1e12)), max_size=5
    ),
)
def test_any_record_becomes_a_page(status: dict[str, Any], tests: list[dict[str, Any]]) -> None:
    html = render(record([piece("suite", 0, tests)], **status))
    assert html.rstrip().endswith("</html>")
    assert html.count("<script") == 2
