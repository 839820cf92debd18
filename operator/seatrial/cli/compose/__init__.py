"""From docker-compose.yml to a TestRun. What cannot be taken over is told, never dropped in silence."""

from seatrial.cli.compose.convert import Imported, convert
from seatrial.cli.compose.source import ComposeFile, read_compose

__all__ = ["ComposeFile", "Imported", "convert", "read_compose"]
