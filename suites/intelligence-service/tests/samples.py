"""Pieces of code to ask about."""

from __future__ import annotations

GOOD_EFFECT = '''
from omnibase.nodes import NodeEffect


class NodeOrderEffect(NodeEffect):
    """Sends orders."""

    async def execute(self, order: str) -> str:
        """Send one."""
        return order
'''
BAD_EFFECT = """
class OrderSender:
    def execute(self, order, seen=[]):
        try:
            return eval(order)
        except:
            pass
"""
BROKEN = "class Node(:\n    pass\n"
BRANCHES = """
import asyncio
import json.decoder
from collections.abc import Iterable

def simple():
    return 1

def decide(a, b):
    if a and b:
        for item in a:
            if item:
                return item
    return [x for x in b if x] if b else None
"""
PATTERNS = """
import asyncio
from contextlib import contextmanager

class OrderFactory:
    def create_order(self): ...

class Bus:
    def subscribe(self, listener): ...
    def publish(self, event): ...

@contextmanager
def connection():
    yield

async def send(order):
    for attempt in range(3):
        try:
            return await order()
        except OSError:
            await asyncio.sleep(1)
"""
EVENTFUL = """
import kafka
from prometheus_client import Counter

@retry
def publish(event):
    kafka.publish(event)
    observe(event)
"""
PAYLOADS: dict[str, dict[str, object]] = {
    "validate": {"code_content": GOOD_EFFECT, "node_type": "effect"},
    "analyze": {"code_content": BRANCHES},
    "pattern": {"code_content": PATTERNS},
    "mixin": {"requirements": ["retry with backoff", "publish events to Kafka"], "node_type": "effect"},
}
