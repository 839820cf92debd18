"""PostgreSQL, Redis and InfluxDB for tests. The names below need no client library until they are used."""

from seatrial_kit.services.config import RealTestConfig
from seatrial_kit.services.factory import DependencyContainer, RealServiceFactory

__all__ = ["DependencyContainer", "RealServiceFactory", "RealTestConfig"]
