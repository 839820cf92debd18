"""The running services by type or name, their health, and their end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar, overload

from tbot.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import svcs

T = TypeVar("T")
CHECK_SECONDS: Final = 1.0


class UnknownServiceError(LookupError):
    """The container has no service of that name."""


class DependencyContainer:
    """Services that have been started, each once, and stop in the opposite order."""

    def __init__(self, container: svcs.Container, services: Sequence[object]) -> None:
        self._container = container
        self._services = {type(service).__name__: service for service in services}

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they were started."""
        return tuple(self._services)

    @overload
    def get(self, service: type[T]) -> T: ...
    @overload
    def get(self, service: str) -> object: ...
    def get(self, service: type[T] | str) -> T | object:
        """A service by its class or by the name of that. Raises UnknownServiceError."""
        name = service if isinstance(service, str) else service.__name__
        try:
            return self._services[name]
        except KeyError:
            raise UnknownServiceError(f"there is no service {name!r}; there are: {', '.join(self.names)}") from None

    async def health(self) -> dict[str, str]:
        """`ok`, or what is wrong, for each service that can be asked; all are asked at once."""
        pings = self._container.get_pings()
        answers = await asyncio.gather(*(_answer(ping) for ping in pings))
        return {ping.name.rpartition(".")[2]: answer for ping, answer in zip(pings, answers, strict=True)}

    async def close(self) -> None:
        await self._container.aclose()


async def _answer(ping: svcs.ServicePing) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await ping.aping()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except UnavailableError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return f"{type(error).__name__}: {error}"
    return "ok"
