"""Writes what pytest does to a file as it happens, selects a shard and retries failing tests.

Inert unless ``SEATRIAL_RECORDS`` names a folder. One file and pytest alone, so that it can be mounted into any image
with Python 3.8 and pytest 7 or later. The records are described in ARCHITECTURE.md, "The suite pod".

PYTEST_DONT_REWRITE: it has no assertions, and rewriting would cost time in front of every first test.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

import pytest
from _pytest.runner import call_and_report, runtestprotocol

if TYPE_CHECKING:
    from typing import Iterable, Sequence

Record = Dict[str, Any]
Report = Any
"""A ``TestReport`` or ``CollectReport``; other plugins and pytest-xdist add attributes to theirs."""

ID_BYTES = 1024
MESSAGE_BYTES = 512
LOCATION_BYTES = 256
TEXT_BYTES = 8192
TEXT_BUDGET = 16 << 20
"""Bytes written, after which failure texts are left out: the records' volume lives in the suite's own memory."""
PHASES = ("setup", "call", "teardown")


def clip(text: str, limit: int, head: Optional[int] = None) -> str:
    """At most ``limit`` bytes of UTF-8 without NUL or lone surrogates; keeps ``head`` bytes and the end if given."""
    data = text.replace("\0", "\\x00").encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode()
    if head is None:
        return data[:limit].decode("utf-8", "ignore")
    mark = f"\n... {len(data) - limit} bytes left out ...\n".encode()
    tail = data[len(data) - (limit - head - len(mark)) :]
    return (data[:head] + mark + tail).decode("utf-8", "ignore")


def clip_id(nodeid: str) -> str:
    """A node id of at most ``ID_BYTES``; a longer one ends in a hash of the whole, so that it stays unique."""
    if len(nodeid) <= ID_BYTES and nodeid.isascii() and "\0" not in nodeid:
        return nodeid
    whole = clip(nodeid, 1 << 30)
    if len(whole.encode()) <= ID_BYTES:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
    return clip(whole, ID_BYTES - 17) + "~" + digest


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


class Writer:
    """Appends records, each with one write(2), so that lines of several processes never mix."""

    def __init__(self, folder: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = os.open(os.path.join(folder, "records.jsonl"), flags, 0o644)  # noqa: PTH118
        self.pid = os.getpid()
        self.written = 0
        self.lost = 0
        self.error = ""
        self.prefix = b""

    def write(self, record: Record) -> None:
        if os.getpid() != self.pid:
            return  # a test forked and its child runs on into pytest: the outcomes are the parent's to tell
        if self.written > TEXT_BUDGET:
            record.pop("x", None)
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
        data = self.prefix + line + b"\n"
        try:
            done = os.write(self.fd, data)
        except OSError as error:
            self.lost += 1
            self.error = str(error)
            return
        self.written += done
        self.prefix = b""
        if done < len(data):
            self.lost += 1
            self.error = "the volume is full"
            self.prefix = b"\n"


def location(report: Report, root: str) -> str:
    """``file:line`` of a failure: the last place in the suite's own code, else where it was raised."""
    longrepr = report.longrepr
    entries = getattr(getattr(longrepr, "reprtraceback", None), "reprentries", None) or ()
    for entry in reversed(entries):
        place = getattr(entry, "reprfileloc", None)
        if place is not None:
            path = relative(str(place.path), root)
            if not path.startswith(("/", "..")) and "site-packages" not in path:
                return f"{path}:{place.lineno}"
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return f"{relative(str(crash.path), root)}:{crash.lineno}"
    place = getattr(report, "location", None)
    return f"{place[0]}:{(place[1] or 0) + 1}" if place else ""


def relative(path: str, root: str) -> str:
    return path[len(root) + 1 :] if path.startswith(root + os.sep) else path


def text_of(report: Report) -> str:
    """What pytest prints of a failed report, with the indentation of its first line, which `longreprtext` takes off."""
    text: str = report.longreprtext
    chain = getattr(report.longrepr, "chain", None)
    traceback = chain[0][0] if chain else getattr(report.longrepr, "reprtraceback", None)
    entries = getattr(traceback, "reprentries", None) or [None]
    line = (getattr(entries[0], "lines", None) or [""])[0]
    bare = line.lstrip()
    return f"{line[: len(line) - len(bare)]}{text}" if bare and text.startswith(bare) else text


def failure(report: Report, root: str) -> Record:
    """Message, place and text of a failed report."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = text_of(report)
    message = first_line(crash.message) if crash is not None else ""
    if not message:
        lines = text.splitlines()
        shown = [line[1:].strip() for line in lines if line.startswith("E ")] or [line.strip() for line in lines[::-1]]
        message = next((line for line in shown if line), "")
    captured = "".join(f"\n---- {name} ----\n{clip(content, 2048, 512)}" for name, content in report.sections)
    text = clip(text, max(TEXT_BYTES - len(captured.encode("utf-8", "replace")), TEXT_BYTES // 2), 1024)
    return {
        "m": clip(message, MESSAGE_BYTES),
        "l": clip(location(report, root), LOCATION_BYTES),
        "x": clip(text + captured, TEXT_BYTES, TEXT_BYTES // 2),
    }


def skip(report: Report, root: str) -> Record:
    """Reason and place of a skipped report."""
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):
        path, line, reason = longrepr
        reason = str(reason).partition("Skipped: ")[2] or str(reason)
        return {
            "m": clip(first_line(reason), MESSAGE_BYTES),
            "l": clip(f"{relative(str(path), root)}:{line}", LOCATION_BYTES),
        }
    return {"m": clip(first_line(report.longreprtext), MESSAGE_BYTES)}


def describe(reports: Sequence[Report], root: str) -> Record:
    """One attempt of one test, from the reports of its phases."""
    record: Record = {"o": "passed", "d": 0.0}
    texts: List[str] = []
    start = 0.0
    for report in reports:
        if not hasattr(report, "context"):  # a subtest's time is part of its test's
            record["d"] += report.duration
            start = start or getattr(report, "start", 0.0)  # pytest 8 and later
        expected = getattr(report, "wasxfail", None)
        if expected is not None:
            expected = first_line(re.sub("^reason: ", "", str(expected)))
        if report.outcome in ("failed", "rerun"):
            details = failure(report, root)
            texts.append(details.pop("x"))
            if record["o"] not in ("failed", "error"):
                record["o"] = "failed" if report.when == "call" else "error"
                record.update(details)
        elif report.skipped:
            record.update(skip(report, root))
            record["o"] = "skipped"
            if expected is not None:
                record.update(o="xfailed", m=clip(expected, MESSAGE_BYTES))
        elif expected is not None and report.when == "call":
            record.update(o="xpassed", m=clip(expected, MESSAGE_BYTES))
    record["d"] = round(record["d"], 6)
    record["at"] = round(start or time.time() - record["d"], 3)
    if texts:
        record["x"] = clip("\n\n".join(texts), TEXT_BYTES, TEXT_BYTES // 2)
    return record


class Collection:
    """Selects the shard and tells what was collected. With pytest-xdist each worker selects and the first one tells."""

    def __init__(self, shard: int, shards: int, root: str, writer: Optional[Writer]) -> None:
        self.shard, self.shards, self.root, self.writer = shard, shards, root, writer
        self.found: Record = {}

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: List[pytest.Item]) -> Iterator[None]:
        outcome: Any = yield  # outermost: after everything that selects or sorts
        if outcome.excinfo is not None:
            return
        ids = sorted({item.nodeid for item in items})
        digest = hashlib.sha256("\n".join(ids).encode("utf-8", "backslashreplace")).hexdigest()
        self.found = {"total": len(items), "digest": digest}
        if self.shards > 1:
            mine = set(ids[self.shard :: self.shards])
            others = [item for item in items if item.nodeid not in mine]
            items[:] = [item for item in items if item.nodeid in mine]
            if others:
                config.hook.pytest_deselected(items=others)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if self.writer is not None and self.found:
            count = {"t": "collected", "at": time.time(), "n": len(session.items), "pytest": pytest.__version__}
            self.writer.write({**count, **self.found})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if self.writer is not None and report.skipped:
            self.writer.write({"t": "collectSkip", "id": clip_id(report.nodeid), **skip(report, self.root)})


class Retries:
    """Runs a failing test again, with fresh fixtures. Where the tests run, so with pytest-xdist in its workers."""

    def __init__(self, retries: int, root: str) -> None:
        self.retries, self.root = retries, root
        self.attempt = 1
        self.broken: List[Tuple[Any, Any]] = []

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[None]:
        outcome: Any = yield
        if outcome.excinfo is not None:
            self.broken.append((fixturedef, request))

    def repair(self) -> None:
        """Finish the fixtures whose failure pytest would else repeat to every test of their scope."""
        while self.broken:
            fixture, request = self.broken.pop()
            with contextlib.suppress(Exception, pytest.fail.Exception, pytest.skip.Exception):
                fixture.finish(request)  # what it raises belongs to an attempt that has already failed

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        outcome: Any = yield
        if outcome.excinfo is None:
            outcome.get_result().seatrial_attempt = self.attempt

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: Optional[pytest.Item]) -> Optional[bool]:
        if item.config.getoption("setuponly") or item.config.getoption("usepdb"):
            return None
        hook, session = item.ihook, item.session
        function = vars(item).get("_obj")
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for attempt in range(1, self.retries + 2):
            self.attempt = attempt
            if attempt > self.retries:  # the last one is reported as it goes, so that -x takes effect before teardown
                runtestprotocol(item, nextitem=nextitem, log=True)
                break
            known = session.testsfailed
            reports = run_attempt(item, nextitem)
            failed = next((report for report in reports if report.failed), None)
            # A failure that is already counted (a subtest's) cannot be taken back by another attempt.
            if failed is None or session.shouldstop or session.shouldfail or session.testsfailed != known:
                for report in reports:
                    hook.pytest_runtest_logreport(report=report)
                break
            failed.seatrial_retried = dict(describe(reports, self.root), a=attempt)  # type: ignore[attr-defined]
            failed.outcome = "rerun"  # type: ignore[assignment]  # no failure to pytest, so its exit code can be 0
            hook.pytest_runtest_logreport(report=failed)
            reset(item, function)
            self.repair()
        self.attempt = 1
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def run_attempt(item: Any, nextitem: Optional[pytest.Item]) -> List[pytest.TestReport]:
    """Setup, call and teardown, unreported.

    pytest's own ``runtestprotocol`` would tear down a module's fixtures after the failing last test of that module,
    although it runs again; here only what belongs to the test itself goes then.
    """
    if hasattr(item, "_request") and not item._request:  # noqa: SLF001
        item._initrequest()  # noqa: SLF001
    try:
        reports = [call_and_report(item, "setup", log=False)]
        if reports[0].passed:
            reports.append(call_and_report(item, "call", log=False))
        stack = item.session._setupstate.stack  # noqa: SLF001
        broken = any(error is not None for node, (_, error) in stack.items() if node is not item)
        again = reports[-1].failed and not broken
        reports.append(call_and_report(item, "teardown", log=False, nextitem=item.parent if again else nextitem))
    finally:
        if hasattr(item, "_request"):
            item._request = False  # noqa: SLF001
            item.funcargs = None
    return reports


def reset(item: Any, function: object) -> None:
    """Forget what a failed attempt left on the item: its output, unittest's failures, the instance of its class."""
    del item._report_sections[:]  # noqa: SLF001
    state = vars(item)
    if state.get("_excinfo"):
        del state["_excinfo"][:]
    if isinstance(item.parent, pytest.Class) and getattr(function, "__self__", None) is not None:
        state.pop("_instance", None)
        state.pop("_obj", None)  # the method, perhaps wrapped meanwhile, is looked up again on a new instance


class Records:
    """Writes outcomes. With pytest-xdist in the controller, to which the workers report."""

    def __init__(self, writer: Writer, root: str, settings: Record) -> None:
        self.writer, self.root, self.settings = writer, root, settings
        self.open: Dict[Tuple[str, Any], List[Report]] = {}
        self.running: Dict[Tuple[str, Any], Tuple[float, int]] = {}
        self.finals: Dict[str, int] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.running[nodeid, None] = (time.time(), 1)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.running.pop((nodeid, None), None)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            details = failure(report, self.root)
            self.writer.write({"t": "collectError", "id": clip_id(report.nodeid), "m": details["m"], "x": details["x"]})

    def pytest_runtest_logreport(self, report: Report) -> None:
        key = (report.nodeid, getattr(report, "node", None))
        retried = getattr(report, "seatrial_retried", None)
        if retried is not None:
            self.open.pop(key, None)
            self.running[report.nodeid, None] = (time.time(), retried["a"] + 1)
            self.emit(report.nodeid, retried, final=False)
            return
        if hasattr(report, "context") and not report.failed:
            return  # a subtest
        if report.when == "setup" and any(earlier.outcome == "rerun" for earlier in self.open.get(key, ())):
            self.close(key)  # an attempt of pytest-rerunfailures, which until version 14 reports no teardown of it
        reports = self.open.setdefault(key, [])
        reports.append(report)
        if report.when == "teardown" or report.when not in PHASES:  # "???" is how pytest-xdist reports a worker's death
            self.close(key)

    def close(self, key: Tuple[str, Any]) -> None:
        """Write the attempt of which all reports have come."""
        reports = self.open.pop(key)
        last = reports[-1]
        attempt = getattr(last, "seatrial_attempt", None) or getattr(last, "rerun", 0) + 1
        final = not any(report.outcome == "rerun" for report in reports)
        self.emit(last.nodeid, dict(describe(reports, self.root), a=attempt), final=final)

    def emit(self, nodeid: str, details: Record, *, final: bool) -> None:
        times = self.finals.get(nodeid, 0)
        self.finals[nodeid] = times + final
        name = f"{nodeid} (run {times + 1})" if times else nodeid  # the same test named twice is two tests
        record = {"t": "test", "id": clip_id(name), **details}
        if not final:
            record["final"] = False
        self.writer.write(record)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Name the tests that were cut off, which pytest itself does not report."""
        if not isinstance(excinfo.value, KeyboardInterrupt):
            return
        text = clip(str(excinfo.getrepr(style="short")), TEXT_BYTES, 1024) if len(self.running) == 1 else ""
        for (nodeid, _), (start, attempt) in self.running.items():
            seconds = time.time() - start
            message = f"interrupted after {seconds:.1f} s"
            details: Record = {"o": "error", "a": attempt, "d": round(seconds, 6), "at": round(start, 3), "m": message}
            self.emit(nodeid, {**details, "x": text} if text else details, final=True)
        self.running.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Report) -> Optional[Tuple[str, str, Tuple[str, Dict[str, bool]]]]:
        return ("retried", "R", ("RETRY", {"yellow": True})) if hasattr(report, "seatrial_retried") else None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        outcome: Any = yield
        if outcome.excinfo is None:
            status = getattr(session, "exitstatus", None)
            ran = sum(self.finals.values())
            rc = int(status) if isinstance(status, int) else None
            self.writer.write({"t": "finish", "at": time.time(), "rc": rc, "ran": ran})

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.writer.lost:
            count, error = self.writer.lost, self.writer.error
            terminalreporter.write_line(f"seatrial: {count} records could not be written: {error}", red=True)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["seatrial"] = self.settings


def read_settings(folder: str) -> Record:
    settings: Record = {"records": folder}
    for name, least, default in (("shard", 0, 0), ("shards", 1, 1), ("retries", 0, 0)):
        text = os.environ.get(f"SEATRIAL_{name.upper()}") or str(default)
        if not text.isdigit() or int(text) < least:
            raise pytest.UsageError(f"SEATRIAL_{name.upper()} is {text!r}; expected a whole number from {least}")
        settings[name] = int(text)
    if settings["shard"] >= settings["shards"]:
        shard, shards = settings["shard"], settings["shards"]
        raise pytest.UsageError(f"SEATRIAL_SHARD is {shard}; expected less than SEATRIAL_SHARDS, which is {shards}")
    return settings


def pytest_configure(config: Any) -> None:
    """Become active. The variable is taken away, so that pytest started by a test does not write into the same file."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        folder = os.environ.pop("SEATRIAL_RECORDS", "")
        settings = read_settings(folder) if folder else None
    else:
        settings = worker.get("seatrial")
    if settings is None:
        return
    root = str(config.rootpath)
    writer = None
    if worker is None or worker["workerid"] == "gw0":
        try:
            writer = Writer(settings["records"])
        except OSError as error:
            raise pytest.UsageError(f"SEATRIAL_RECORDS: cannot write to {settings['records']}: {error}") from error
    plugins: Iterable[Tuple[str, object]] = [
        ("collection", Collection(settings["shard"], settings["shards"], root, writer)),
        *([("retries", Retries(settings["retries"], root))] if settings["retries"] else []),
        *([("records", Records(writer, root, settings))] if worker is None and writer is not None else []),
    ]
    for name, plugin in plugins:
        config.pluginmanager.register(plugin, f"seatrial-{name}")
    cache = getattr(config, "cache", None)
    if cache is not None:
        cache._cachedir = writable_cache(cache._cachedir)  # noqa: SLF001


def writable_cache(wanted: Path) -> Path:
    """The folder for pytest's cache: another one when its place is read-only, as the root of an image is."""
    nearest = next((path for path in wanted.parents if path.exists()), Path("/"))
    return wanted if os.access(nearest, os.W_OK) else Path(tempfile.gettempdir()) / "pytest_cache"
