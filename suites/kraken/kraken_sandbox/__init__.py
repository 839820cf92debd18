"""A server that speaks Kraken's Spot REST and WebSocket v2 APIs, with an account, markets and faults that tests control."""
