"""Following logs: from their start, until their container has stopped and all was read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from seatrial import follow
from seatrial.errors import ForbiddenError, InvalidError, NotFoundError, UnavailableError
from seatrial.follow import Followers, LogKey
from tests.fake_cluster import FakeCluster, Log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEY = LogKey("ns", "pod", "uid", "relay")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "AGAIN_SECONDS", 0.001)


class Reader:
    """Reads one log of a cluster in memory."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.log = Log()
        self.cluster.logs["ns", "pod", "relay"] = self.log
        self.followers = Followers(self.cluster)
        self.lines: list[bytes] = []
        self.ended = 0
        self.opened = 0
        self.answers: list[Exception | None] = []
        """What the next requests for the log meet."""
        self.whole = False
        self.on_open: dict[int, Callable[[], None]] = {}
        """What happens before a request, by its number from 1."""
        real = self.cluster.follow_log

        async def follow_log(*where: Any) -> AsyncIterator[bytes]:
            self.opened += 1
            self.cluster.changed.beat()
            self.on_open.get(self.opened, lambda: None)()
            if self.answers and (error := self.answers.pop(0)) is not None:
                raise error
            async for line in real(*where):
                yield line

        self.cluster.follow_log = follow_log  # type: ignore[method-assign]

    def follow(self, on_line: Callable[[bytes], None] | None = None) -> None:
        def take(line: bytes) -> None:
            self.lines.append(line)
            self.cluster.changed.beat()

        def end() -> None:
            self.ended += 1
            self.cluster.changed.beat()

        self.followers.follow(KEY, on_line or take, end, lambda: self.whole)

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.cluster.until(condition)


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    reader = Reader()
    yield reader
    await reader.followers.close()


async def test_lines_come_as_they_are_written(reader: Reader) -> None:
    reader.follow()
    reader.log.write(b"one")
    await reader.until(lambda: reader.lines == [b"one"])
    reader.log.write(b"two", b"three")
    await reader.until(lambda: reader.lines == [b"one", b"two", b"three"])
    assert reader.ended == 0


async def test_a_log_is_followed_once(reader: Reader) -> None:
    reader.follow()
    reader.follow()
    reader.log.write(b"one")
    await reader.until(lambda: reader.lines == [b"one"])
    reader.follow()
    assert reader.opened == 1


async def test_the_end_of_the_stream_is_the_end_only_when_the_container_has_stopped(reader: Reader) -> None:
    reader.log.write(b"one")
    reader.log.close()
    reader.follow()
    await reader.until(lambda: reader.opened == 3)
    assert reader.ended == 0
    assert set(reader.lines) == {b"one"}  # from its start, after every break
    reader.followers.mark_ended(KEY)
    await reader.until(lambda: reader.ended == 1)
    opened = reader.opened
    reader.follow()
    await asyncio.sleep(0)
    assert (reader.opened, reader.ended) == (opened, 1)


async def test_what_was_said_before_it_stopped_is_read_to_the_end(reader: Reader) -> None:
    reader.log.write(b"one", b"two")
    reader.log.close()
    reader.followers.mark_ended(KEY)
    reader.whole = True
    reader.follow()
    await reader.until(lambda: reader.ended == 1)
    assert reader.lines == [b"one", b"two"]
    assert reader.opened == 1


async def test_a_log_that_does_not_tell_of_its_end_is_read_until_nothing_more_comes(reader: Reader) -> None:
    """A connection that breaks behind the API server looks to its client like the end of the log."""
    reader.log.write(b"one")
    reader.log.close()
    reader.followers.mark_ended(KEY)
    reader.on_open[2] = lambda: reader.log.write(b"two")
    reader.follow()
    await reader.until(lambda: reader.ended == 1)
    assert reader.lines == [b"one", b"one", b"two", b"one", b"two"]


async def test_a_stream_that_broke_off_before_it_stopped_is_read_again(reader: Reader) -> None:
    """The container may have stopped between the break and the news of it: something may be missing."""
    reader.answers = [UnavailableError("connection reset")]
    reader.follow()
    await reader.until(lambda: reader.opened == 1)
    reader.followers.mark_ended(KEY)
    reader.log.write(b"one")
    reader.log.close()
    reader.whole = True
    await reader.until(lambda: reader.ended == 1)
    assert reader.lines == [b"one"]


async def test_a_connection_that_died_in_silence_is_given_up(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node may be lost, or the kubelet hang: then nobody ever ends the stream."""
    monkeypatch.setattr(follow, "SILENT_SECONDS", 0.01)
    reader.log.write(b"one")
    reader.follow()
    await reader.until(lambda: reader.lines == [b"one"])
    reader.followers.mark_ended(KEY)
    await reader.until(lambda: reader.ended == 1)
    assert reader.lines == [b"one", b"one"]


async def test_while_the_container_runs_silence_is_no_sign(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SILENT_SECONDS", 0.0)
    reader.follow()
    await reader.until(lambda: reader.opened == 1)
    reader.log.write(b"one")
    await reader.until(lambda: reader.lines == [b"one"])
    assert (reader.opened, reader.ended) == (1, 0)


async def test_the_log_of_a_pod_that_is_gone_has_ended(reader: Reader) -> None:
    reader.answers = [NotFoundError("no such pod")]
    reader.follow()
    await reader.until(lambda: reader.ended == 1)
    assert reader.opened == 1


@pytest.mark.parametrize(
    "error", [UnavailableError("503"), ForbiddenError("not yet"), InvalidError("x", reason="BadRequest")]
)
async def test_a_log_that_is_not_there_yet_is_asked_for_again(reader: Reader, error: Exception) -> None:
    """While its container is created, the kubelet answers that it is waiting to start (BadRequest)."""
    reader.answers = [error, error, error]
    reader.log.write(b"one")
    reader.follow()
    await reader.until(lambda: reader.lines == [b"one"])
    assert reader.opened == 4


async def test_a_stopped_container_without_a_log_has_ended(reader: Reader) -> None:
    reader.answers = [UnavailableError("503"), InvalidError("never started", reason="BadRequest"), None]
    reader.followers.mark_ended(KEY)
    reader.follow()
    await reader.until(lambda: reader.ended == 1)
    assert reader.opened == 2
    assert reader.lines == []


async def test_a_line_that_cannot_be_taken_in_ends_the_log(reader: Reader, caplog: pytest.LogCaptureFixture) -> None:
    """A defect must not leave the run waiting for ever."""

    def broken(line: bytes) -> None:
        raise ZeroDivisionError(line)

    reader.log.write(b"one")
    reader.follow(broken)
    await reader.until(lambda: reader.ended == 1)
    assert "log of ns/pod: a line cannot be taken in" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_closing_stops_all(reader: Reader) -> None:
    reader.follow()
    await reader.until(lambda: reader.opened == 1)
    await reader.followers.close()
    reader.log.write(b"one")
    await asyncio.sleep(0)
    assert reader.lines == []
    assert reader.ended == 0
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "follow pod"]
