"""The certificate with which the API server recognises us as a kubelet: asked for through its own API."""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hack.kubelet.client import Api

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SIGNER = "kubernetes.io/kubelet-serving"


async def serving_context(api: Api, node: str, address: str) -> ssl.SSLContext:
    """TLS as the kubelet of a node at an address, signed by the cluster's own authority."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key", Path(folder) / "certificate"
        subject = ("-subj", f"/O=system:nodes/CN=system:node:{node}", "-addext", f"subjectAltName=IP:{address}")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", str(key))
        made = await asyncio.create_subprocess_exec(
            "openssl", "req", "-new", *curve, *subject, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        request, _ = await made.communicate()
        certificate.write_bytes(await _sign(api, node, request))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


async def _sign(api: Api, node: str, request: bytes) -> bytes:
    """Ask in the node's name, approve as the administrator, wait for the controller."""
    body = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": f"{node}-"},
        "spec": {
            "request": base64.b64encode(request).decode(),
            "signerName": SIGNER,
            "usages": ["digital signature", "server auth"],
        },
    }
    asked = await api.call(
        "POST", REQUESTS, body, headers={"Impersonate-User": f"system:node:{node}", "Impersonate-Group": "system:nodes"}
    )
    path = f"{REQUESTS}/{asked['metadata']['name']}"
    approval = {"type": "Approved", "status": "True", "reason": "StandIn", "message": "a kubelet's stand-in"}
    await api.call("PUT", f"{path}/approval", asked | {"status": {"conditions": [approval]}})
    name = asked["metadata"]["name"]
    try:
        async for kind, item in api.watch(REQUESTS, {"fieldSelector": f"metadata.name={name}"}):
            for found in item if kind == "LISTED" else [item]:
                if signed := (found.get("status") or {}).get("certificate"):
                    return base64.b64decode(signed)
    finally:
        await api.call("DELETE", path)
    raise AssertionError("a watch has no end")
