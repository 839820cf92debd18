"""`python -m seatrial.agent.environment`: the environment pod's process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn

from seatrial import __version__
from seatrial.agent.environment.events import Events
from seatrial.agent.environment.gate_server import Gate, listen
from seatrial.agent.environment.input import InputError, read_environment
from seatrial.agent.environment.outcomes import EnvironmentFailedError
from seatrial.agent.environment.provision import Provision
from seatrial.agent.environment.redaction import Redactor

if TYPE_CHECKING:
    import socket

    from seatrial.agent.environment.input import Environment

RESOLVER_THREADS = 32
"""Name look-ups block a thread each, for seconds where DNS does not answer; the default of 6 would delay all others."""


class _RedactingFormatter(logging.Formatter):
    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


def main() -> NoReturn:
    """Exit status 0: asked to stop by SIGTERM or SIGINT; 1: a defect or unusable input, said in the event `failed`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    redact = Redactor(os.environ)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter(redact))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    events = Events(redact)
    events.emit("started", version=__version__)
    try:
        environment = read_environment(os.environ)
        listening = listen(environment.gate_port)
        asyncio.run(_serve(environment, events, redact, listening))
    except Exception as error:  # noqa: BLE001  # whatever it is, the operator has to be told
        _give_up(error, events, redact)
    os._exit(0)


async def _serve(environment: Environment, events: Events, redact: Redactor, listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    loop.set_default_executor(ThreadPoolExecutor(RESOLVER_THREADS))
    gate = Gate()
    server = await gate.serve(listening)
    try:
        await Provision(environment, os.environ, events, start).run()
    except EnvironmentFailedError as failure:
        message = events.presentable(failure.message)
        events.emit("failed", kind=failure.kind, name=failure.name, reason=failure.reason, message=message)
        gate.fail(message)
    except Exception as error:  # noqa: BLE001  # here, since leaving asyncio.run waits for name look-ups
        _give_up(error, events, redact)
    else:
        gate.open()
        events.emit("open")
    await server.serve_forever()


def _give_up(error: Exception, events: Events, redact: Redactor) -> NoReturn:
    if isinstance(error, InputError):
        message = str(error)
    else:
        message = f"{type(error).__name__}: {error}"
        sys.stderr.write(redact(traceback.format_exc()))
        sys.stderr.flush()
    events.emit("failed", kind="environment", name="environment", reason="InternalError", message=message)
    os._exit(1)


if __name__ == "__main__":
    main()
