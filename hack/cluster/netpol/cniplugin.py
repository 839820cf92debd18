"""The chained CNI plugin that asks the enforcer and passes the previous plugin's result on; a program of its own.

It is copied into the node's plugin folder and run by containerd several times per pod, hence no imports of ours and few
of others.
"""

from __future__ import annotations

import json
import os
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TIMEOUT_SECONDS = 25
TRY_AGAIN_LATER = 11  # an error code of the CNI specification


def ask(command: str, settings: dict[str, Any], result: dict[str, Any]) -> str:
    """The enforcer's answer, or what kept it from answering."""
    arguments = dict(pair.split("=", 1) for pair in os.environ.get("CNI_ARGS", "").split(";") if "=" in pair)
    addresses = [entry["address"].split("/")[0] for entry in result.get("ips", []) if ":" not in entry["address"]]
    call = {"command": command, "uid": arguments.get("K8S_POD_UID"), "address": addresses[0] if addresses else None}
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(settings["socket"])
            connection.sendall(json.dumps(call).encode() + b"\n")
            return connection.makefile().readline().strip() or "it closed the connection"
    except OSError as error:
        return str(error)


def main() -> int:
    """One CNI call: command in the environment, configuration on standard input, result on standard output."""
    command = os.environ["CNI_COMMAND"]
    if command == "VERSION":
        print(json.dumps({"cniVersion": "0.4.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0"]}))
        return 0
    settings = json.load(sys.stdin)
    result = settings.get("prevResult") or {}
    if command == "DEL":
        ask(command, settings, result)  # an enforcer that is not there has nothing to forget
    if command == "ADD":
        answer = ask(command, settings, result)
        if answer != "ok":
            message = f"the network policies of this pod could not be programmed: {answer}"
            print(json.dumps({"cniVersion": settings["cniVersion"], "code": TRY_AGAIN_LATER, "msg": message}))
            return 1
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
