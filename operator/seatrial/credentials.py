"""What the credentials of runs look like, so that they are known wherever they turn up: nobody has to keep them."""

from __future__ import annotations

import re

PREFIX = "strl"
DIGITS = 48
"""Hexadecimal, so that a credential is the same in a URL, an argument, a variable and SQL: 192 bits."""
MARK = "[redacted]"
LEAST_DIGITS = 8
"""A message may have been cut in the middle of one."""
_SHAPE = rf"{PREFIX}[0-9a-f]{{{LEAST_DIGITS},{DIGITS}}}"
_TEXT = re.compile(_SHAPE)
_BYTES = re.compile(_SHAPE.encode())


def redact(text: str) -> str:
    """A text without the credentials of any run."""
    return _TEXT.sub(MARK, text) if PREFIX in text else text


def redact_bytes(data: bytes) -> bytes:
    return _BYTES.sub(MARK.encode(), data) if PREFIX.encode() in data else data
