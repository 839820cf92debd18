"""All that is outside of the cluster: one host of its own, in a network namespace at the other end of the node's link.

Every packet to an address that is neither a pod's nor the node's goes there. It answers at an address that stands for
any host on the internet and at the one where clouds serve instance metadata, and passes nothing on. So tests can try to
leave the cluster, and nothing outside this machine is ever dialled.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import cast

from hack.cluster.layout import METADATA_ADDRESS, NODE_NETWORK_GATEWAY, OUTSIDE_ADDRESS
from hack.cluster.network import INTERFACE_PEER
from hack.cluster.processes import run

TCP_PORTS = (53, 80, 443)
UDP_PORTS = (53,)
SERVE = "serve"
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\noutside\n"


class _Echo(asyncio.DatagramProtocol):
    """Sends back what came."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # asyncio's own does not derive from it

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(data, addr)


def main() -> int:
    """Start the host in a network namespace, give it its end of the link, and stay as long as it does."""
    command = ["unshare", "--net", "--", sys.executable, "-m", "hack.cluster.outside", SERVE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
        if host.stdin is None or host.stdout is None or not host.stdout.readline():
            return 1  # it has said why on stderr
        run(["ip", "link", "set", INTERFACE_PEER, "netns", str(host.pid)])
        host.stdin.write("the link is there\n")
        host.stdin.flush()
        return host.wait()


def serve() -> None:
    """Be the host: runs in the namespace of its own."""
    print("in a namespace of its own", flush=True)
    sys.stdin.readline()
    run(["ip", "link", "set", "lo", "up"])
    for address in (f"{NODE_NETWORK_GATEWAY}/24", f"{OUTSIDE_ADDRESS}/32", f"{METADATA_ADDRESS}/32"):
        run(["ip", "address", "add", address, "dev", INTERFACE_PEER])
    run(["ip", "link", "set", INTERFACE_PEER, "up"])
    asyncio.run(_listen())


async def _listen() -> None:
    for port in UDP_PORTS:
        for address in (OUTSIDE_ADDRESS, METADATA_ADDRESS):  # an answer must come from the address that was asked
            await asyncio.get_running_loop().create_datagram_endpoint(_Echo, local_addr=(address, port))
    for port in TCP_PORTS:
        await asyncio.start_server(_answer, "0.0.0.0", port)  # noqa: S104  (nobody but the cluster can reach it)
    await asyncio.Event().wait()


async def _answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(ANSWER)
    writer.close()


if __name__ == "__main__":
    if SERVE in sys.argv[1:]:
        serve()
    else:
        sys.exit(main())
