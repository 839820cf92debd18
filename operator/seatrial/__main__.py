"""`python -m seatrial`: run the operator with its fixed flags."""

from __future__ import annotations

import logging
import os

import kopf

import seatrial.handlers  # noqa: F401  (registers the handlers)


def main() -> None:
    """Run until SIGTERM."""
    log_format = kopf.LogFormat.JSON if os.environ.get("SEATRIAL_LOG_FORMAT", "json") == "json" else kopf.LogFormat.FULL
    kopf.configure(log_format=log_format, verbose=False)
    for name in ("kopf.objects", "kopf.activities", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    port = os.environ.get("SEATRIAL_HEALTH_PORT", "8080")
    kopf.run(clusterwide=True, standalone=True, liveness_endpoint=f"http://0.0.0.0:{port}/healthz", memo=kopf.Memo())


if __name__ == "__main__":
    main()
