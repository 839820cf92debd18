"""Is this machine ready for local runs, and the cluster for TestRuns? One check, one answer, one next command."""

from seatrial.cli.doctor.model import Check, State
from seatrial.cli.doctor.run import examine

__all__ = ["Check", "State", "examine"]
