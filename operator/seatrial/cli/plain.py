"""temporary"""

from __future__ import annotations
from typing import Any, TextIO

Object = dict[str, Any]


class Plain:
    def __init__(self, out: TextIO) -> None:
        self._out = out

    def tell(self, reason: str, message: str) -> None:
        print(f"{reason}: {message}", file=self._out)

    def show(self, before: Object, after: Object) -> None:
        old, new = before.get("status") or {}, after.get("status") or {}
        a = (old.get("phase"), old.get("environment"), old.get("passed"))
        b = (new.get("phase"), new.get("environment"), new.get("passed"))
        if a != b:
            print(*b, new.get("message", ""), file=self._out)
