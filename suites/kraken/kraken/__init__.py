"""Trades on Kraken's Spot API: within limits, with every order in a journal before it is sent."""
