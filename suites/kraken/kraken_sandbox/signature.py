"""What API-Sign must be: HMAC-SHA512, with the decoded secret, of the path and SHA-256(nonce + body)."""

from __future__ import annotations

import base64
import hashlib
import hmac


def expected_signature(path: str, nonce: str, body: bytes, secret: str) -> str:
    """Base64. `path` begins with /0/private, `body` is the request's body as it was sent."""
    inner = hashlib.sha256(nonce.encode() + body).digest()
    return base64.b64encode(hmac.digest(base64.b64decode(secret), path.encode() + inner, "sha512")).decode()


def is_signed(given: str, path: str, nonce: str, body: bytes, secret: str) -> bool:
    return hmac.compare_digest(given, expected_signature(path, nonce, body, secret))
