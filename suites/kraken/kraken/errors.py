"""What can go wrong with a request to the exchange, sorted by what may be done about it."""

from __future__ import annotations

from typing import Final

_TRANSIENT: Final = ("EService:Unavailable", "EService:Busy", "EGeneral:Internal error", "EService:Throttled")
_RATE_LIMITS: Final = ("EAPI:Rate limit exceeded", "EOrder:Rate limit exceeded", "EGeneral:Temporary lockout")
_NONCE: Final = "EAPI:Invalid nonce"


class ApiError(Exception):
    """`method` is the API's, `codes` are its error strings, or our own words for what came instead of an answer."""

    def __init__(self, method: str, *codes: str) -> None:
        super().__init__(f"{method}: {', '.join(codes)}")
        self.method = method
        self.codes = codes


class RejectedError(ApiError):
    """The exchange understood and said no: asking again would change nothing."""


class RateLimitedError(ApiError):
    """Refused before it was carried out, for the number of requests."""


class InvalidNonceError(ApiError):
    """Refused before it was carried out; another nonce may do."""


class UnavailableError(ApiError):
    """No usable answer. `sent` is false when the request certainly never reached the exchange."""

    def __init__(self, method: str, *codes: str, sent: bool = True) -> None:
        super().__init__(method, *codes)
        self.sent = sent


class CircuitOpenError(ApiError):
    """Not sent: the circuit breaker is open for `seconds` more."""

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(method, f"the circuit breaker is open for {seconds:.1f} s more")
        self.seconds = seconds


def from_codes(method: str, codes: list[str]) -> ApiError:
    """The error that an answer's `error` array stands for."""
    if any(code.startswith(_RATE_LIMITS) for code in codes):
        return RateLimitedError(method, *codes)
    if _NONCE in codes:
        return InvalidNonceError(method, *codes)
    if any(code.startswith(_TRANSIENT) for code in codes):
        return UnavailableError(method, *codes)
    return RejectedError(method, *codes)


class DataError(Exception):
    """The exchange sent data that cannot be."""


class RiskError(Exception):
    """The risk manager refuses an order; `violations` maps each broken rule to what was seen and allowed."""

    def __init__(self, violations: dict[str, str]) -> None:
        super().__init__("; ".join(f"{rule}: {text}" for rule, text in violations.items()))
        self.violations = violations


class ConflictError(Exception):
    """An id that is in use for something else."""
