from __future__ import annotations

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError, WatchError

from alpha_panda.streaming.errors import BusinessError, ErrorClass, PoisonError, TransientError, classify


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TransientError(), ErrorClass.TRANSIENT),
        (ConnectionResetError(), ErrorClass.TRANSIENT),
        (TimeoutError(), ErrorClass.TRANSIENT),
        (KafkaConnectionError(), ErrorClass.TRANSIENT),
        (RedisConnectionError(), ErrorClass.TRANSIENT),
        (WatchError(), ErrorClass.TRANSIENT),
        (asyncpg.ConnectionDoesNotExistError(), ErrorClass.TRANSIENT),
        (PoisonError(), ErrorClass.POISON),
        (KeyError(), ErrorClass.POISON),
        (ZeroDivisionError(), ErrorClass.POISON),
        (MessageSizeTooLargeError(), ErrorClass.POISON),
        (ResponseError(), ErrorClass.POISON),
        (BusinessError("no"), ErrorClass.BUSINESS),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_class_of_an_error(error: Exception, expected: ErrorClass) -> None:
    assert classify(error) is expected
