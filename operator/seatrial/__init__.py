"""Seatrial: a Kubernetes-native test operator."""

__version__ = "0.1.0"
