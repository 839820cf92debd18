"""TestRuns on this machine: the same plan and the same decisions, with processes in the place of pods."""
