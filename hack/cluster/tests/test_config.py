"""What the components are told."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import tomllib
from pathlib import Path

import pytest

from hack.cluster import components, config, pki
from hack.cluster.errors import ClusterError
from hack.cluster.layout import Layout
from hack.cluster.processes import run

UNIX_PATH_LIMIT = 108
LAYOUT = Layout(Path("/home/somebody/seatrial"))


def test_containerd_settings_parse_and_hold_what_matters() -> None:
    settings = tomllib.loads(config.containerd(LAYOUT))
    cri = settings["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["max_container_log_line_size"] == 16384
    assert cri["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is False
    assert settings["grpc"]["address"] == str(LAYOUT.containerd_socket)


def test_policies_come_between_the_link_and_the_port_mapping() -> None:
    plugins = [plugin["type"] for plugin in json.loads(config.cni(LAYOUT))["plugins"]]
    assert plugins == ["ptp", config.POLICY_PLUGIN, "portmap"]


def test_the_kubelet_keeps_events_and_stays_in_its_cgroup() -> None:
    settings = json.loads(config.kubelet(LAYOUT))
    assert settings["eventRecordQPS"] >= 500, "0 would be the client's default of 5 a second"
    assert settings["cgroupRoot"] == f"/{LAYOUT.cgroup}"
    assert settings["maxPods"] == 110
    assert settings["failCgroupV1"] is False
    assert "containerLogMaxSize" not in settings


def test_kube_proxy_is_not_at_its_slow_default() -> None:
    settings = json.loads(config.kube_proxy(LAYOUT))
    assert settings["iptables"]["minSyncPeriod"] not in ("0s", "1s"), "0 is replaced by 1 s"


def test_two_checkouts_share_nothing() -> None:
    other = Layout(Path("/home/somebody/else"))
    assert LAYOUT.state != other.state
    assert LAYOUT.cgroup != other.cgroup
    assert LAYOUT.ports()[0] != other.ports()[0]
    assert len(set(LAYOUT.ports())) == len(LAYOUT.ports())


def test_socket_paths_are_short_enough() -> None:
    # containerd and its shims put their own sockets some levels below.
    for path in (LAYOUT.containerd_socket, LAYOUT.netpol_socket):
        assert len(str(path)) < UNIX_PATH_LIMIT / 2


def test_every_component_has_a_log_of_its_own() -> None:
    programs = {name: Path("/bin") / name for name in (*config_programs(), "etcd")}
    made = [
        components.etcd(LAYOUT, programs),
        components.containerd(LAYOUT),
        components.api_server(LAYOUT, programs),
        components.controller_manager(LAYOUT, programs),
        components.scheduler(LAYOUT, programs),
        components.kubelet(LAYOUT, programs),
        components.kube_proxy(LAYOUT, programs),
        components.network_policy(LAYOUT),
        components.api_proxy(7),
    ]
    assert len({component.name for component in made}) == len(made)


def config_programs() -> tuple[str, ...]:
    return ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("issued") / "pki"
    pki.issue_all(directory)
    return directory


def test_the_kubeconfig_holds_its_certificates(issued: Path) -> None:
    parsed = json.loads(config.kubeconfig("https://127.0.0.1:1", "name", issued, pki.ADMIN))
    user, cluster = parsed["users"][0]["user"], parsed["clusters"][0]["cluster"]
    assert base64.b64decode(user["client-certificate-data"]) == (issued / "admin.crt").read_bytes()
    assert base64.b64decode(cluster["certificate-authority-data"]) == (issued / "ca.crt").read_bytes()
    assert cluster["server"] == "https://127.0.0.1:1"


@pytest.mark.parametrize("name", ["127.0.0.1", "10.96.0.1", "kubernetes.default.svc", "localhost"])
def test_the_server_proves_its_names_and_learns_the_clients(issued: Path, name: str) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(issued / "apiserver.crt", issued / "apiserver.key")
    server.load_verify_locations(issued / "ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(issued / "ca.crt"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.load_cert_chain(issued / "admin.crt", issued / "admin.key")
    ours, theirs = socket.socketpair()
    subjects: list[object] = []

    def serve() -> None:
        with server.wrap_socket(theirs, server_side=True) as connection:
            certificate = connection.getpeercert()
            subjects.append(certificate and certificate["subject"])
            connection.sendall(b"!")

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(ours, server_hostname=name) as connection:
        assert connection.recv(1) == b"!"
    thread.join()
    assert subjects == [((("commonName", "admin"),), (("organizationName", "system:masters"),))]


def test_a_failing_program_is_named_with_what_it_said() -> None:
    with pytest.raises(ClusterError, match=r"`sh -c echo broken >&2; exit 3` exited with status 3: broken"):
        run(["sh", "-c", "echo broken >&2; exit 3"])
