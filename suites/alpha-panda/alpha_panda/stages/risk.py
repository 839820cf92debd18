"""Risk: a signal is validated or rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alpha_panda.events.data import RejectedSignal, SignalType, TradingSignal
from alpha_panda.events.envelope import EventType
from alpha_panda.stages.work import StageHandler, payload_or_none
from alpha_panda.streaming.errors import BusinessError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alpha_panda.configuration import Limits
    from alpha_panda.events.envelope import EventEnvelope


class RiskHandler(StageHandler):
    """Remembers, for each strategy and instrument, the position that the validated signals add up to."""

    service = "risk"

    def state_keys(self, event: EventEnvelope) -> Iterable[str]:
        signal = payload_or_none(event, TradingSignal)
        return [_key(signal)] if signal is not None else ()

    def apply(self, event: EventEnvelope) -> Iterable[EventEnvelope]:
        signal = event.payload(TradingSignal)
        if signal.signal_type is SignalType.HOLD:
            return
        limits = self._limits(signal)
        position = int(self.stored(_key(signal)) or 0)
        broken = broken_rule(signal, position, limits)
        if broken is not None:
            rule, reason = broken
            rejected = RejectedSignal(signal=signal, rule=rule, reason=reason)
            raise BusinessError(
                f"{rule}: {reason}", (event.child(EventType.SIGNAL_REJECTED, rejected, source=self.service),)
            )
        self.keep(_key(signal), str(position + signal.signed_quantity).encode())
        yield event.child(EventType.SIGNAL_VALIDATED, signal, source=self.service)

    def _limits(self, signal: TradingSignal) -> Limits:
        """Raises TransientError: reference data may come later than the first signal for it."""
        configuration = self.configuration
        limits = configuration.limits_for(self.broker, signal.strategy_id)
        if limits is None or signal.instrument_token not in configuration.instruments:
            # A newer one may be taken within a batch here: which state is read does not follow from it.
            configuration = self._source.current
            limits = configuration.limits_for(self.broker, signal.strategy_id)
        if limits is not None and signal.instrument_token in configuration.instruments:
            return limits
        self._source.refresh()
        missing = "risk limits" if limits is None else f"instrument {signal.instrument_token}"
        raise TransientError(f"{missing} not configured for {self.broker} (yet)")


def broken_rule(signal: TradingSignal, position: int, limits: Limits) -> tuple[str, str] | None:
    """The first rule that a signal breaks, and how; None: it may go on."""
    if signal.quantity > limits.max_order_quantity:
        return "max_order_quantity", f"{signal.quantity} units, at most {limits.max_order_quantity} are allowed"
    if signal.value > limits.max_order_value:
        return "max_order_value", f"worth {signal.value:f}, at most {limits.max_order_value:f} is allowed"
    after = position + signal.signed_quantity
    if abs(after) > limits.max_position and abs(after) > abs(position):
        return "max_position", f"{position} would become {after}, at most {limits.max_position} is allowed"
    return None


def _key(signal: TradingSignal) -> str:
    return f"{signal.strategy_id}:{signal.instrument_token}"
