"""One self-contained page about a run: no network, no external font or script, and nothing in it is believed."""

from seatrial.cli.report.page import render

__all__ = ["render"]
