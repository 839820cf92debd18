"""One certificate authority and the identities of the components."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hack.cluster.layout import API_SERVICE_ADDRESS, CLUSTER_DOMAIN, NODE_ADDRESS, NODE_NAME
from hack.cluster.processes import run

if TYPE_CHECKING:
    from pathlib import Path

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
DAYS = "365"
AUTHORITY = "ca"
SERVICE_ACCOUNT_KEY = "service-accounts.key"
SERVICE_ACCOUNT_PUBLIC_KEY = "service-accounts.pub"


@dataclass(frozen=True)
class Identity:
    """A certificate to issue; the group and the name are what the API server authorizes by."""

    file: str
    common_name: str
    organization: str = ""
    usages: str = "clientAuth"
    alternative_names: tuple[str, ...] = ()


_API_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    "localhost",
)
_API_ADDRESSES = ("127.0.0.1", API_SERVICE_ADDRESS, NODE_ADDRESS)

API_SERVER = Identity(
    "apiserver",
    "kube-apiserver",
    usages="serverAuth",
    alternative_names=(*(f"DNS:{name}" for name in _API_NAMES), *(f"IP:{address}" for address in _API_ADDRESSES)),
)
ADMIN = Identity("admin", "admin", "system:masters")
CONTROLLER_MANAGER = Identity("controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("scheduler", "system:kube-scheduler")
PROXY = Identity("proxy", "system:kube-proxy")
KUBELET = Identity(
    "kubelet",
    f"system:node:{NODE_NAME}",
    "system:nodes",
    usages="serverAuth,clientAuth",
    alternative_names=(f"DNS:{NODE_NAME}", f"IP:{NODE_ADDRESS}"),
)
IDENTITIES = (API_SERVER, ADMIN, CONTROLLER_MANAGER, SCHEDULER, PROXY, KUBELET)


def issue_all(directory: Path) -> None:
    """Write NAME.key and NAME.crt for the authority and all identities, and the service accounts' key pair."""
    directory.mkdir(mode=0o700, parents=True)
    authority = (
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,digitalSignature\nsubjectKeyIdentifier=hash\n"
    )
    _request(directory, AUTHORITY, "CN=cluster-authority\n", authority, ())
    key = directory / SERVICE_ACCOUNT_KEY
    run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", str(key)])
    run(["openssl", "pkey", "-in", str(key), "-pubout", "-out", str(directory / SERVICE_ACCOUNT_PUBLIC_KEY)])
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda identity: _issue(directory, identity), IDENTITIES))


def _issue(directory: Path, identity: Identity) -> None:
    subject = f"CN={identity.common_name}\n" + (f"O={identity.organization}\n" if identity.organization else "")
    extensions = (
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        f"extendedKeyUsage={identity.usages}\nauthorityKeyIdentifier=keyid\n"
    )
    if identity.alternative_names:
        extensions += f"subjectAltName={','.join(identity.alternative_names)}\n"
    signer = ("-CA", str(directory / f"{AUTHORITY}.crt"), "-CAkey", str(directory / f"{AUTHORITY}.key"))
    _request(directory, identity.file, subject, extensions, signer)


def _request(directory: Path, name: str, subject: str, extensions: str, signer: tuple[str, ...]) -> None:
    """Through a configuration of our own: the distribution's adds extensions that contradict these."""
    settings = directory / f"{name}.cnf"
    sections = "[req]\nprompt=no\ndistinguished_name=subject\nx509_extensions=extensions\n"
    settings.write_text(f"{sections}[subject]\n{subject}[extensions]\n{extensions}")
    key, certificate = directory / f"{name}.key", directory / f"{name}.crt"
    output = ("-keyout", str(key), "-out", str(certificate))
    run(["openssl", "req", "-x509", *CURVE, "-days", DAYS, "-config", str(settings), *signer, *output])
