"""`lint` says what the API server will say: the same table of specs is put to both (tests/apiserver/test_spec.py)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.crd import crds
from seatrial.cli.lint import lint
from seatrial.cli.lint.spec import ALLOWED
from seatrial.cli.manifest import ManifestError, Problem, load_manifests
from seatrial.naming import READ_SECRETS_ROLE
from tests.spec_cases import ACCEPTED, REFUSED, Accepted, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
HEAD = "apiVersion: seatrial.dev/v1alpha1\nkind: TestRun\nmetadata:\n  name: run\n"
SPEC = "spec:\n  suites:\n    - name: core\n"


def linted(folder: Path, *texts: str) -> list[Problem]:
    manifests = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        manifests += load_manifests(path)
    return lint(manifests)


def errors(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]


def said(problems: list[Problem]) -> list[str]:
    """Problems without their file's folder."""
    return [str(problem).removeprefix(f"{problem.source.parent}/") for problem in problems]


def refused(folder: Path, text: str) -> str:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError) as caught:
        load_manifests(path)
    return str(caught.value).replace(f"{folder}/", "")


def written(spec: Any) -> str:
    body = {"apiVersion": "seatrial.dev/v1alpha1", "kind": "TestRun", "metadata": {"name": "run"}, "spec": spec}
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)
def test_what_the_api_server_accepts_is_accepted(case: Accepted, tmp_path: Path) -> None:
    assert not errors(linted(tmp_path, written(case.spec)))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_the_api_server_refuses_is_refused(case: Refused, tmp_path: Path) -> None:
    problems = errors(linted(tmp_path, written(case.spec)))
    assert any(problem.field == case.path and case.message in problem.message for problem in problems), problems
    assert all(problem.line >= 5 for problem in problems), "each is at a line of the spec"


def _rules(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for rule in schema.get("x-kubernetes-validations", ()):
            if "oldSelf" not in rule["rule"]:  # about a change: there is none in a file
                yield rule["message"]
        for member in schema.values():
            yield from _rules(member)
    elif isinstance(schema, list):
        for member in schema:
            yield from _rules(member)


def test_every_rule_of_the_crd_is_found_by_lint(tmp_path: Path) -> None:
    """What is refused by CEL on the API server has a case here, and lint has the same words for it."""
    schema = crds()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    wanted = set(_rules(schema["properties"]["spec"]))
    found = {problem.message for case in REFUSED for problem in linted(tmp_path, written(case.spec))}
    assert wanted, "there are rules"
    assert not {rule for rule in wanted if not any(rule in message for message in found)}


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for member in schema.values():
            yield from _patterns(member)


def test_every_pattern_has_words() -> None:
    schema = crds()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert set(_patterns(schema["properties"]["spec"])) == set(ALLOWED)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_clean(path: Path) -> None:
    assert lint(load_manifests(path)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            HEAD + SPEC + "      shard: 2\n",
            "0.yaml:8:7: spec.suites[0].shard: is an unknown field; did you mean shards?",
        ),
        (
            HEAD + "spec:\n  service:\n    redis: {}\n  suites: [{name: core}]\n",
            "0.yaml:6:3: spec.service: is an unknown field; did you mean services?",
        ),
        (
            HEAD + "spec:\n  services: {mysql: {}}\n  suites: [{name: core}]\n",
            (
                "0.yaml:6:14: spec.services.mysql: is an unknown field; "
                "expected one of influxdb, kafka, postgres, redis, redpanda"
            ),
        ),
        (
            HEAD + SPEC + "      tests_from: {configMapRef: {name: a}}\n",
            "0.yaml:8:7: spec.suites[0].tests_from: is an unknown field; did you mean testsFrom?",
        ),
        (
            HEAD + SPEC + "      timeout: 10 minutes\n",
            (
                "0.yaml:8:7: spec.suites[0].timeout: should match pattern "
                "'^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$', not '10 minutes'; "
                "allowed: hours, minutes and seconds in this order, such as 1h30m or 45s"
            ),
        ),
        (
            HEAD + "spec:\n  services: {postgres: {version: 17}}\n  suites: [{name: core}]\n",
            "0.yaml:6:25: spec.services.postgres.version: must be a string, not 17: put it in quotes",
        ),
        (
            HEAD + "spec:\n  suites:\n    - image: a:1\n",
            "0.yaml:7:7: spec.suites[0].name: is required; name of the suite",
        ),
        (
            HEAD + "spec: {}\n",
            "0.yaml:5:1: spec.suites: is required; the test suites, in the order in which they start",
        ),
        (HEAD, "0.yaml:1:1: spec: is required; write at least `spec: {suites: [{name: core}]}`"),
        (HEAD + "spec:\n", "0.yaml:5:1: spec: must be an object"),
        (HEAD + SPEC + "specs: 1\n", "0.yaml:8:1: specs: is an unknown field; did you mean spec?"),
        (
            HEAD.replace("v1alpha1", "v1") + SPEC,
            "0.yaml:1:1: apiVersion: 'seatrial.dev/v1' is not the API of a TestRun; expected seatrial.dev/v1alpha1",
        ),
        (
            HEAD.replace("TestRun", "Testrun") + SPEC,
            "0.yaml:2:1: kind: 'Testrun' is no kind of seatrial.dev/v1alpha1; did you mean TestRun?",
        ),
        (
            "apiVersion: v1\nkind: Configmap\nmetadata: {name: a}\n",
            "0.yaml:2:1: kind: 'Configmap' is no kind of v1; did you mean ConfigMap?",
        ),
        ("kind: TestRun\n", "0.yaml:1:1: apiVersion: is required; expected seatrial.dev/v1alpha1 for a TestRun"),
        ("apiVersion: v1\n", "0.yaml:1:1: kind: is required; expected TestRun, ConfigMap, Secret"),
        ("apiVersion: 1\nkind: TestRun\n", "0.yaml:1:1: apiVersion: must be a string, not 1"),
        (
            HEAD.replace("name: run", "name: My_Run") + SPEC,
            (
                "0.yaml:4:3: metadata.name: 'My_Run' is not allowed; allowed: lower-case letters, digits, dashes "
                "and dots, a letter or digit first and last"
            ),
        ),
        (
            HEAD.replace("name: run", "name: 12") + SPEC,
            "0.yaml:4:3: metadata.name: must be a string, not 12: put it in quotes",
        ),
        (
            HEAD.replace("name: run", "label: {}") + SPEC,
            "0.yaml:4:3: metadata.label: is an unknown field; did you mean labels?",
        ),
        (
            HEAD + "  labels: {team: 7}\n" + SPEC,
            "0.yaml:5:12: metadata.labels.team: must be a string, not 7: put it in quotes",
        ),
        (
            HEAD.replace("metadata:\n  name: run\n", "") + SPEC,
            "0.yaml:1:1: metadata: is required; write at least `metadata: {name: ...}`",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {port: 8080}\n",
            "0.yaml:4:8: data.port: must be a string, not 8080: put it in quotes",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a/b: x}\n",
            "0.yaml:4:8: data['a/b']: is no key; allowed: at most 253 letters, digits, dashes, underscores and dots",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {token: plain text}\n",
            "0.yaml:4:8: data.token: is not base64: write plain text under stringData",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringdata: {token: x}\n",
            "0.yaml:4:1: stringdata: is an unknown field; did you mean stringData?",
        ),
        (
            "apiVersion: seatrial.dev/v1alpha1\nkind: TestResultSlice\nmetadata: {name: a}\n",
            "0.yaml:2:1: kind: 'TestResultSlice' is no kind of seatrial.dev/v1alpha1; did you mean TestRun?",
        ),
    ],
)
def test_problems_say_where_what_and_what_is_allowed(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in said(errors(linted(tmp_path, text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "run.yaml:1:1: holds no object: expected a TestRun"),
        ("# nothing\n---\n---\n", "run.yaml:1:1: holds no object: expected a TestRun"),
        ("- a\n- b\n", "run.yaml:1:1: must be an object with apiVersion and kind, not a list"),
        ("text\n", "run.yaml:1:1: must be an object with apiVersion and kind, not 'text'"),
        ("spec:\n\tsuites: []\n", "run.yaml:2:1: a tab stands here: YAML is indented with spaces alone"),
        ("a: [1, 2\nb: 3\n", "run.yaml:2:2: is not YAML"),
        ("a: {b: *there}\n", "run.yaml:1:8: is not YAML: found undefined alias"),
        ("a: 1\nb: 2\na: 3\n", "run.yaml:3:1: a: is there twice, first in line 1: keep one"),
        ("a: {b: 1, b: 2}\n", "run.yaml:1:11: a.b: is there twice, first in line 1: keep one"),
        (
            "a: !!python/object/apply:os.system [id]\n",
            "run.yaml:1:4: the tag !!python/object/apply:os.system has no meaning",
        ),
        ("a: .nan\n", "run.yaml:1:4: .nan has no meaning in a manifest"),
        ("? [a]\n: b\n", "run.yaml:1:3: a key must be a text"),
        ("a: " + "[" * 100_000, "run.yaml:1:103: is nested more than 100 levels deep"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
            ),
            "holds more than 200000 values, aliases expanded",
        ),
        ("a: &a\n  b: *a\n", "is nested more than 100 levels deep"),
    ],
)
def test_what_cannot_be_read_has_a_place(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in refused(tmp_path, text)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: 1\nb: \xff\xfe\n")
    for path, expected in (
        (tmp_path / "none.yaml", "none.yaml: cannot be read: No such file or directory"),
        (tmp_path, "is a folder: name the files in it"),
        (binary, "binary.yaml:2:1: is not UTF-8: byte 0xff in line 2"),
    ):
        with pytest.raises(ManifestError, match=re.escape(expected)) as caught:
            load_manifests(path)
        assert not caught.value.readable


def test_yaml_is_read_as_kubectl_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "date: 2024-01-01\ntime: 1:30\nyes: on\noctal: 010\nhex: 0x1F\nfloat: 1e3\n1: one\nnull_: ~\n"
        "base: &base {a: 1, b: 2}\nmerged: {<<: *base, b: 3}\n",
    )
    (manifest,) = load_manifests(tmp_path / "a.yaml")
    assert manifest.body == {
        "date": "2024-01-01",
        "time": "1:30",
        "true": True,
        "octal": 8,
        "hex": 31,
        "float": 1000.0,
        "1": "one",
        "null_": None,
        "base": {"a": 1, "b": 2},
        "merged": {"a": 1, "b": 3},
    }
    assert manifest.line_of(("merged", "b")) == 10
    assert manifest.line_of(("merged", "nowhere", 3)) == 10
    assert manifest.line_of() == 1


def test_lines_count_on_through_the_documents_of_a_file(tmp_path: Path) -> None:
    two = HEAD + SPEC + "---\n" + HEAD.replace("run", "two") + SPEC + "      shards: 99\n"
    (problem,) = linted(tmp_path, two)
    assert problem.line == 16


def warning(text: str, folder: Path) -> str:
    (problem,) = linted(folder, text)
    assert problem.severity == "warning"
    return str(problem)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            HEAD + SPEC + "  services:\n    redis:\n",
            "0.yaml:9:5: warning: spec.services.redis: nothing is written after it",
        ),
        (HEAD + SPEC + "      image: app\n", ":8:7: warning: spec.suites[0].image: app has no tag"),
        (HEAD + SPEC + "      image: host:5000/app:latest\n", "host:5000/app:latest has the tag latest"),
        (HEAD + SPEC + "      timeout: 2h\n", "spec.suites[0].timeout: 2h is longer than timeouts.total (1h)"),
        (
            HEAD + SPEC + "  timeouts: {provision: 2h}\n",
            "spec.timeouts.provision: 2h is longer than timeouts.total (1h)",
        ),
        (
            HEAD + "spec: {suites: [{name: a, timeout: 40m}, {name: b, timeout: 40m}]}\n",
            "spec.suites: one after the other the suites may take 80 minutes, longer than timeouts.total (1h)",
        ),
        (
            HEAD + SPEC + "  applications: [{name: app, image: app:1, ports: [{name: web, port: 1}]}]\n",
            "spec.applications[0]: app has ports and no ready",
        ),
        (
            HEAD + SPEC + "      testsFrom: {configMapRef: {name: nowhere}}\n",
            "spec.suites[0].testsFrom.configMapRef.name: no ConfigMap nowhere is among these files",
        ),
        ("apiVersion: apps/v1\nkind: Deployment\n", ":2:1: warning: kind: a 'Deployment' is not checked"),
    ],
)
def test_warnings(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in warning(text, tmp_path)


def test_the_grant_of_secrets_is_a_part_of_a_run(tmp_path: Path) -> None:
    text = (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: grant}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ROLE}\n"
    )
    assert not linted(tmp_path, text.replace("ROLE", READ_SECRETS_ROLE))
    assert "a 'RoleBinding' is not checked" in warning(text.replace("ROLE", "admin"), tmp_path)


def test_a_digest_needs_no_tag_and_parallel_suites_no_more_time(tmp_path: Path) -> None:
    assert not linted(tmp_path, HEAD + SPEC + "      image: app@sha256:0123\n")
    assert not linted(
        tmp_path, HEAD + "spec: {parallelism: 2, suites: [{name: a, timeout: 40m}, {name: b, timeout: 40m}]}\n"
    )


def test_references_are_looked_up_in_all_files(tmp_path: Path) -> None:
    run = (
        HEAD
        + SPEC
        + (
            "      testsFrom: {configMapRef: {name: my-test}}\n"
            "      env: [{name: A, valueFrom: {secretKeyRef: {name: credentials, key: tokn}}}]\n"
        )
    )
    objects = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: my-tests}\ndata: {}\n---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: credentials}\nstringData: {token: x}\n"
    )
    first, second = said(linted(tmp_path, run, objects))
    assert first == (
        "0.yaml:8:34: warning: spec.suites[0].testsFrom.configMapRef.name: no ConfigMap my-test is among these files; "
        "did you mean my-tests?"
    )
    assert second.endswith("Secret credentials has no key tokn; did you mean token?")


def test_objects_of_the_same_name(tmp_path: Path) -> None:
    (problem,) = errors(linted(tmp_path, HEAD + SPEC, HEAD + SPEC))
    assert str(problem).endswith(f"there is another TestRun run in {tmp_path}/0.yaml:4: keep one, or rename it")
    assert not linted(tmp_path, HEAD + SPEC, HEAD + "  namespace: other\n" + SPEC)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_place(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    try:
        problems = lint(load_manifests(path))
    except ManifestError as error:
        problems = error.problems
    assert all(str(problem).startswith(str(path)) for problem in problems)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = ("apiVersion", "kind", "metadata", "spec", "data", "stringData", "status")


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON), st.sampled_from(["TestRun", "ConfigMap", "Secret", "List"]))
def test_any_object_is_judged(tmp_path_factory: pytest.TempPathFactory, body: dict[str, Any], kind: str) -> None:
    version = "seatrial.dev/v1alpha1" if kind == "TestRun" else "v1"
    path = tmp_path_factory.getbasetemp() / "object.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": version, "kind": kind} | body), encoding="utf-8")
    try:
        lint(load_manifests(path))
    except ManifestError as error:
        assert error.problems  # noqa: PT017  (either outcome is right)
