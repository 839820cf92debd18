from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.agent_process import TERMINAL, answer, environment, free_port

from .servers import Server, redis_server

if TYPE_CHECKING:
    from pathlib import Path

REDIS = [{"kind": "redis", "name": "redis"}]


def variables(server: Server) -> dict[str, str]:
    return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(server.port), "REDIS_PASSWORD": server.password}


def test_redis_becomes_ready_while_it_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    with environment(services=REDIS, variables=variables(Server(port, "redis-s3cret"))) as agent:
        waiting = agent.until("waiting")
        assert waiting["message"] == f"127.0.0.1:{port} refuses connections: nothing listens there yet"
        held = agent.ask_gate()
        with redis_server(tmp_path, port):
            ready = agent.until("ready")
            agent.until("open")
        assert answer(held) == (200, "open")
    assert (ready["kind"], ready["name"]) == ("service", "redis")
    assert ready["seconds"] > 0
    assert agent.kinds() == ["started", "ready redis", "seeded redis", "servicesReady", "open"]


def test_a_wrong_password_is_said_at_once_and_not_shown(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        wrong = Server(server.port, "wr0ng-s3cret")
        with environment(services=REDIS, variables=variables(wrong)) as agent:
            failed = agent.until(*TERMINAL)
            assert answer(agent.ask_gate()) == (503, failed["message"])
    assert (failed["t"], failed["name"], failed["reason"]) == ("failed", "redis", "ServiceNotReady")
    assert failed["message"].startswith("Redis refused the run's password: invalid username-password pair")
    assert "s3cret" not in "".join(agent.lines)
