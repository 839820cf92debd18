"""Faults of single requests: the client dies, the answer is lost, late, or another one."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from .call import CUT
from .fault import Answer, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call, Record


def everything(_: Call) -> bool:
    return True


def writes(call: Call) -> bool:
    return call.is_write


class After(Fault):
    """Do something after the n-th write was made and before its client has heard of it. The reply is lost."""

    def __init__(self, number: int, act: Callable[[], None] | None = None) -> None:
        self.number = number
        self.struck = asyncio.Event()
        self.record: Record | None = None
        """The write."""
        self._act = act

    async def after(self, record: Record) -> Answer | None:
        if record.number != self.number or self.struck.is_set():
            return None
        self.record = record
        if self._act is not None:
            self._act()
        self.struck.set()
        return Answer(CUT)


class Instead(Fault):
    """Answer the n-th write, and as many after it as are asked for, in the place of the API server."""

    def __init__(self, number: int, answer: Answer, times: int = 1) -> None:
        self.numbers = range(number, number + times)
        self.struck: list[Record] = []
        self._answer = answer

    async def before(self, record: Record) -> Answer | None:
        if record.number not in self.numbers:
            return None
        self.struck.append(record)
        return self._answer


class Sometimes(Fault):
    """Answer a share of the requests in the place of the API server, by a seed."""

    def __init__(self, share: float, answers: list[Answer], seed: int, match: Callable[[Call], bool]) -> None:
        self.struck: list[Record] = []
        self._share = share
        self._answers = answers
        self._chance = random.Random(seed)
        self._match = match

    async def before(self, record: Record) -> Answer | None:
        if not self._match(record.call) or self._chance.random() >= self._share:
            return None
        self.struck.append(record)
        return self._chance.choice(self._answers)


class Refuse(Fault):
    """Answer every request that matches, while it is on."""

    def __init__(self, answer: Answer, match: Callable[[Call], bool] = everything, *, on: bool = True) -> None:
        self.on = on
        self.struck: list[Record] = []
        self._answer = answer
        self._match = match

    async def before(self, record: Record) -> Answer | None:
        if not self.on or not self._match(record.call):
            return None
        self.struck.append(record)
        return self._answer


class Silence(Fault):
    """The API server answers nothing while it is on; what had been asked is then cut off, and was never done."""

    def __init__(self) -> None:
        self.struck: list[Record] = []
        self._over = asyncio.Event()
        self._over.set()

    def begin(self) -> None:
        self._over.clear()

    def end(self) -> None:
        self._over.set()

    async def before(self, record: Record) -> Answer | None:
        if self._over.is_set():
            return None
        self.struck.append(record)
        await self._over.wait()
        return Answer(CUT)


class Delay(Fault):
    """Every request that matches takes longer, by chance and a seed."""

    def __init__(self, seconds: float, seed: int, match: Callable[[Call], bool] = everything) -> None:
        self.struck = 0
        self._seconds = seconds
        self._chance = random.Random(seed)
        self._match = match

    async def before(self, record: Record) -> Answer | None:
        if self._match(record.call):
            self.struck += 1
            await asyncio.sleep(self._chance.uniform(0, self._seconds))
        return None
