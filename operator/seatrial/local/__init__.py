"""The embedded engine: a TestRun with processes on this machine instead of objects in a cluster."""
