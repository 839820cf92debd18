"""Manages delta-neutral funding positions: long spot, short perpetual, the perpetual's funding is the income."""
