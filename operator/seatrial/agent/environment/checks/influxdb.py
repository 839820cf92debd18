"""InfluxDB 2: its API answers; seeded by set-up (organisation, bucket, token) and proven by an authenticated write.

`/health` and `/ready` are not asked: InfluxDB 2.7 answers both with 200 as soon as it listens (http/health.go and
http/ready.go of its source).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from seatrial.agent.environment.checks import Check
from seatrial.agent.environment.http_client import Answer, request
from seatrial.agent.environment.input import variable
from seatrial.agent.environment.network import Reachability
from seatrial.agent.environment.outcomes import NotReadyError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.agent.environment.input import Service

REQUEST_SECONDS = 4.0
USER = "seatrial"
PROBE_BUCKET = "seatrial-ready"
OK, CREATED, NO_CONTENT, SERVER_ERROR = 200, 201, 204, 500


class InfluxDBCheck(Check):
    """The record that proves writing goes to a bucket that is deleted again: a suite finds its own bucket empty."""

    def __init__(self, _service: Service, variables: Mapping[str, str]) -> None:
        self._url = variable(variables, "INFLUXDB_URL").rstrip("/")
        self._org = variable(variables, "INFLUXDB_ORG")
        self._bucket = variable(variables, "INFLUXDB_BUCKET")
        self._token = variable(variables, "INFLUXDB_TOKEN")
        self._password = variable(variables, "INFLUXDB_PASSWORD")
        address = urlsplit(self._url)
        self._reachable = Reachability(address.hostname or "", address.port or 80)
        self._set_up_allowed = False
        self.expected = f"200 to GET {self._url}/api/v2/setup"

    async def attempt(self) -> None:
        await self._reachable.check()
        answer = await request("GET", f"{self._url}/api/v2/setup", seconds=REQUEST_SECONDS)
        if answer.status != OK:
            raise NotReadyError(f"InfluxDB answered GET /api/v2/setup with HTTP {answer.status}: {answer.text}")
        self._set_up_allowed = answer.json().get("allowed") is True

    async def seed(self) -> None:
        """Every step can be repeated."""
        if self._set_up_allowed:
            await self._set_up()
        org_id = await self._organisation_of_bucket()
        await self._prove_writing(org_id)

    async def _set_up(self) -> None:
        wanted = {
            "username": USER,
            "password": self._password,
            "org": self._org,
            "bucket": self._bucket,
            "token": self._token,
        }
        answer = await request("POST", f"{self._url}/api/v2/setup", seconds=REQUEST_SECONDS, json=wanted)
        _expect(answer, CREATED, "POST /api/v2/setup")
        self._set_up_allowed = False

    async def _organisation_of_bucket(self) -> str:
        answer = await self._api("GET", "/api/v2/buckets", params={"org": self._org, "name": self._bucket})
        _expect(answer, OK, f"the look-up of the bucket {self._bucket} with the run's token")
        match answer.json():
            case {"buckets": [{"orgID": str(org_id)}]}:
                return org_id
            case _:
                raise RefusedError(
                    f"InfluxDB has no bucket {self._bucket} in {self._org} after its set-up: {answer.text}"
                )

    async def _prove_writing(self, org_id: str) -> None:
        created = await self._api("POST", "/api/v2/buckets", json={"orgID": org_id, "name": PROBE_BUCKET})
        _expect(created, CREATED, f"creating the bucket {PROBE_BUCKET}")
        bucket_id = created.json()["id"]
        try:
            params = {"org": self._org, "bucket": PROBE_BUCKET}
            written = await self._api("POST", "/api/v2/write", params=params, data=b"ready value=1")
            _expect(written, NO_CONTENT, "a write with the run's token")
        finally:
            deleted = await self._api("DELETE", f"/api/v2/buckets/{bucket_id}")
        _expect(deleted, NO_CONTENT, f"deleting the bucket {PROBE_BUCKET}")

    async def _api(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | None = None,
    ) -> Answer:
        return await request(
            method,
            self._url + path,
            seconds=REQUEST_SECONDS,
            headers={"Authorization": f"Token {self._token}"},
            params=params,
            json=json,
            data=data,
        )


def _expect(answer: Answer, status: int, what: str) -> None:
    if answer.status == status:
        return
    message = f"InfluxDB answered {what} with HTTP {answer.status} instead of {status}: {answer.text}"
    if answer.status >= SERVER_ERROR:
        raise NotReadyError(message)
    raise RefusedError(message)
