"""What the credentials of runs look like, so that they are known wherever they turn up: nobody has to keep them."""

from __future__ import annotations

import hashlib
import re

PREFIX = "strl"
DIGITS = 48
"""Hexadecimal, so that a credential is the same in a URL, an argument, a variable and SQL: 192 bits."""
LEAST_DIGITS = 8
"""A message may have been cut in the middle of one."""
SHAPE = re.compile(rf"{PREFIX}[0-9a-f]{{{LEAST_DIGITS},{DIGITS}}}".encode())


def mark(credential: bytes) -> bytes:
    """What takes its place: the same for the same one, so that ids of tests that differ in them alone stay different.

    24 bits of a digest tell nothing about 192 random ones.
    """
    return f"[redacted {hashlib.sha256(credential).hexdigest()[:6]}]".encode()


def redact_bytes(data: bytes) -> bytes:
    """A text without the credentials of any run."""
    return SHAPE.sub(lambda found: mark(found[0]), data) if PREFIX.encode() in data else data


def redact(text: str) -> str:
    """A text without the credentials of any run."""
    if PREFIX not in text:
        return text
    return redact_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
