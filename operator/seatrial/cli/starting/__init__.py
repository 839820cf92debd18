"""The first files of a project: what is there decides what they say."""

from seatrial.cli.starting.files import starting_files
from seatrial.cli.starting.project import Project, look_at

__all__ = ["Project", "look_at", "starting_files"]
