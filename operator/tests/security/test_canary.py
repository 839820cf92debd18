"""A run's credentials are in its Secret, and nowhere else: not in any object, nor in any log."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.kubectl import OPERATOR_NAMESPACE, ROOT, get

from .actors import ADMINISTRATOR, listed
from .dialling import agent_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.kubectl import Tenant

pytestmark = [pytest.mark.e2e, pytest.mark.security]

LEAKING = """\
import os, sys, pytest

URLS = [value for name, value in sorted(os.environ.items()) if name.endswith(("URL", "TOKEN", "PASSWORD"))]

@pytest.mark.parametrize("url", URLS)
def test_in_its_name(url):
    print("on stdout", url)
    print("on stderr", url, file=sys.stderr)
    assert url == "something else", url

def test_in_its_error():
    raise RuntimeError(f"cannot connect with {os.environ}")

def test_in_the_reason_why_it_is_skipped():
    pytest.skip(" ".join(URLS))

def teardown_module():
    os.write(1, " ".join(URLS).encode() * 50)
    sys.__stderr__.write("\\n".join(URLS))
"""
XML = """\
import os
from xml.sax.saxutils import quoteattr
text = " ".join(v for n, v in os.environ.items() if n.endswith(("URL", "PASSWORD")))
case = f"<testcase classname='a' name='b'><failure message={quoteattr(text)}>{quoteattr(text)}</failure></testcase>"
open("/results/junit.xml", "w").write(f"<testsuite tests='1'>{case}</testsuite>")
"""
DYING = "import os, sys; sys.exit(' '.join(v for n, v in os.environ.items() if n.endswith(('URL', 'PASSWORD'))))"
KEPT = {"onSuccess": "1h", "onFailure": "1h"}
SERVICES: dict[str, Any] = {"redis": {}, "postgres": {}, "influxdb": {}}
OWN_VOICE = {("suite", "suite"), ("application", "dying")}
"""Component and container of a tenant's own program, which writes its log by itself: a suite that is not pytest, and an
application. Whoever may read that log is told nothing that the program was not given."""


def test_credentials_are_nowhere_but_in_their_secret(tenant: Tenant) -> None:
    image = agent_image()
    tenant.tests("leaking", LEAKING)
    junit = {"name": "xml", "image": image, "runAsUser": 65532, "command": ["python", "-c", XML],
             "junit": {"path": "/results/junit.xml"}}  # fmt: skip
    leaking = {"name": "it", "testsFrom": {"configMapRef": {"name": "leaking"}}}
    tenant.run("leaking", services=SERVICES, suites=[leaking, junit], parallelism=2, retention=KEPT)
    tenant.tests("dying", "def test_one(): pass\n")
    dying = {"name": "dying", "image": image, "runAsUser": 65532, "command": ["python", "-c", DYING]}
    tenant.run("dying", services={"redis": {}, "postgres": {}}, applications=[dying], retention=KEPT)
    ends = {name: tenant.finished(name) for name in ("leaking", "dying")}
    assert {name: run["status"]["reason"] for name, run in ends.items()} == {
        "leaking": "TestsFailed",
        "dying": "ApplicationFailed",
    }
    assert "[redacted " in ends["dying"]["status"]["message"], "the application's last words are part of the message"
    assert "[redacted " in json.dumps(ends["leaking"]["status"]["failures"])
    spaces = [run["status"]["namespace"] for run in ends.values()]
    credentials = {value for space in spaces for value in _credentials(space)}
    assert len(credentials) >= 6, credentials
    pieces = re.compile("|".join(piece for value in credentials for piece in (value[:28], value[-26:])))
    # The pattern finds what it is to find.
    assert pieces.search(json.dumps(_connection(spaces[0])))
    searched = 0
    for where, text in (*_objects(spaces), *_logs(spaces), *_files()):
        searched += len(text)
        found = pieces.search(text)
        assert found is None, f"a credential is in {where}: ...{text[max(0, found.start() - 200) : found.start()]}"
    assert searched > 100_000


def _connection(space: str) -> dict[str, str]:
    """What a run's services and suites are told."""
    secret = get("secret", "connection", space)
    assert secret is not None, f"namespace {space} has no connection"
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def _credentials(space: str) -> set[str]:
    """What was drawn for a run."""
    return {found for value in _connection(space).values() for found in re.findall(r"strl[0-9a-f]{48}", value)}


def _objects(spaces: list[str]) -> Iterator[tuple[str, str]]:
    """Everything that the API server holds, but for the Secrets that credentials are for. Secrets are decoded."""
    for path in _collections():
        for item in listed(path):
            metadata = item["metadata"]
            where = f"{path} {metadata.get('namespace', '')}/{metadata['name']}"
            is_secret = path == "/api/v1/secrets"
            if is_secret and metadata["name"] == "connection" and metadata["namespace"] in spaces:
                continue
            if is_secret:
                item["data"] = {
                    k: base64.b64decode(v).decode(errors="replace") for k, v in item.get("data", {}).items()
                }
            yield where, json.dumps(item)


def _collections() -> list[str]:
    """The path of everything that can be listed."""
    groups = ADMINISTRATOR.send("GET", "/apis").body["groups"]
    versions = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    found = [
        f"{version}/{resource['name']}"
        for version in versions
        for resource in ADMINISTRATOR.send("GET", version).body["resources"]
        if "list" in resource["verbs"]
    ]
    assert {"/api/v1/secrets", "/api/v1/pods", "/apis/seatrial.dev/v1alpha1/testruns"} <= set(found)
    return found


def _logs(spaces: list[str]) -> Iterator[tuple[str, str]]:
    """The log of every container of the runs, of the operator and of the cluster's own pods."""
    for space in (*spaces, OPERATOR_NAMESPACE, "kube-system"):
        for pod in listed(f"/api/v1/namespaces/{space}/pods"):
            labels, name = pod["metadata"].get("labels", {}), pod["metadata"]["name"]
            component = labels.get("seatrial.dev/component", "")
            for container in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())):
                is_pytest = labels.get("seatrial.dev/name") == "it"
                if (component, container["name"]) in OWN_VOICE and not is_pytest:
                    continue
                path = f"/api/v1/namespaces/{space}/pods/{name}/log?container={container['name']}"
                text = ADMINISTRATOR.text(path)
                yield f"the log of {space}/{name}, container {container['name']}", text
                yield f"the records of {space}/{name}", "".join(map(_unpacked, text.splitlines()))


def _unpacked(line: str) -> str:
    """The records in a line of a relay."""
    words = line.split(" ")
    if words[0] != "S1" or len(words) != 4 or words[1] == "0":
        return ""
    try:
        return zlib.decompress(base64.b64decode(words[3])).decode(errors="replace")
    except (binascii.Error, zlib.error):
        return ""


def _files() -> Iterator[tuple[str, str]]:
    """What the components of the test cluster's node have written."""
    for path in sorted((ROOT / ".cluster" / "log").glob("*.log")):
        yield str(path), path.read_text(errors="replace")
