"""Speaks Kraken's Spot REST and WebSocket v2 APIs; tests control its account, its markets and its faults."""
