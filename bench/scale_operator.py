"""An operator of our own as a process, and its metrics."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families

from hack.kubelet.client import MERGE, ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType
    from typing import Self

    from hack.kubelet.client import Api

START_SECONDS = 60.0
STOP_SECONDS = 30.0
FIRST_PORT = 18700
DEPLOYMENT = "/apis/apps/v1/namespaces/seatrial-system/deployments/seatrial"
SERVICES = ("kafka", "redis", "postgres", "influxdb")


def configuration(max_active: int, namespaces: list[str]) -> dict[str, Any]:
    """As the chart writes it. No image is ever pulled."""
    catalogue = {name: {"default": "1", "versions": {"1": f"none/{name}:1"}} for name in SERVICES}
    return {
        "images": {"agent": "none/agent:1", "suite": "none/suite:1"},
        "catalogue": catalogue,
        "maxActiveRuns": max_active,
    } | ({"namespaces": namespaces} if namespaces else {})


@contextlib.asynccontextmanager
async def retired(api: Api) -> AsyncIterator[None]:
    """Take an operator that is installed out of service: it would take part."""
    try:
        deployment = await api.call("GET", DEPLOYMENT)
    except ApiError as error:
        if error.status != 404:  # noqa: PLR2004  (not found)
            raise
        yield
        return
    await _scale(api, 0)
    try:
        yield
    finally:
        await _scale(api, int(deployment["spec"]["replicas"]))


async def _scale(api: Api, replicas: int) -> None:
    await api.call("PATCH", f"{DEPLOYMENT}/scale", {"spec": {"replicas": replicas}}, content_type=MERGE)
    selector = {"fieldSelector": "metadata.name=seatrial"}
    async with asyncio.timeout(START_SECONDS):
        async for kind, item in api.watch(DEPLOYMENT.rpartition("/")[0], selector):
            statuses = [each["status"] for each in (item if kind == "LISTED" else [item])]
            if all(status.get("readyReplicas", 0) == replicas == status.get("replicas", 0) for status in statuses):
                return


class OperatorProcess:
    """`python -m seatrial` with the code of a checkout."""

    def __init__(self, kubeconfig: Path, code: Path, config: dict[str, Any], number: int, profile: Path | None) -> None:
        self._kubeconfig = kubeconfig
        self._code = code
        self._configuration = config
        self._health, self._metrics = FIRST_PORT + 2 * number, FIRST_PORT + 2 * number + 1
        self._profile = profile if number == 0 else None
        self._stack = contextlib.AsyncExitStack()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def __aenter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(self._configuration))
        self._log = folder / "log"
        paths = [str(self._code / path) for path in ("operator", "suites/kit")]
        variables = {
            "KUBECONFIG": str(self._kubeconfig),
            "PYTHONPATH": os.pathsep.join(paths),
            "SEATRIAL_CONFIG": str(config),
            "SEATRIAL_HEALTH_PORT": str(self._health),
            "SEATRIAL_METRICS_PORT": str(self._metrics),
        }
        profiler = ["-m", "cProfile", "-o", str(self._profile)] if self._profile else []
        with self._log.open("wb") as sink:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *profiler, "-m", "seatrial", env=os.environ | variables, stdout=sink, stderr=sink
            )
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._healthy():  # noqa: ASYNC110  (another process)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            await self.__aexit__(None, None, None)
            raise SystemExit(f"the operator did not start within {START_SECONDS:g} s; its log: {self.log()}") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.log(), file=sys.stderr)
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
        await self._stack.aclose()

    def log(self) -> str:
        """The last lines."""
        return self._log.read_text(errors="replace")[-5000:]

    async def requests(self) -> dict[str, float]:
        """Its requests to the API server so far, by `METHOD resource`."""
        return {
            f"{sample.labels['method']} {sample.labels['resource']}": sample.value
            for sample in await self._samples("seatrial_api_requests_total")
        }

    async def metric(self, name: str) -> float:
        return sum(float(sample.value) for sample in await self._samples(name))

    async def _samples(self, name: str) -> list[Any]:
        async with self._session.get(f"http://127.0.0.1:{self._metrics}/metrics") as response:
            families = text_string_to_metric_families(await response.text())
            return [sample for family in families for sample in family.samples if sample.name == name]

    async def _healthy(self) -> bool:
        if self._process.returncode is not None:
            raise SystemExit(f"the operator ended with status {self._process.returncode}; its log: {self.log()}")
        try:
            async with self._session.get(f"http://127.0.0.1:{self._health}/healthz") as response:
                return response.status == 200  # noqa: PLR2004  (OK)
        except aiohttp.ClientError:
            return False
