"""Plans: what every pod must be, what belongs together, and what cannot be planned."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seatrial.api.spec import RESERVED_NAMES, Pytest, parse_spec
from seatrial.naming import COMPONENT_LABEL, NAME_LABEL, RUN_UID_LABEL, RunId
from seatrial.plan import Plan, PlanError, PlannedSuite, make_plan
from seatrial.plan.addresses import Address, Names, application_variables
from seatrial.plan.pods import cores
from seatrial.plan.services import PLANNERS
from seatrial.plan.suites import pytest_args
from seatrial.settings import RunPods, parse_settings
from tests.builders import INPOD_FILES, NAMESPACE, RUN, SETTINGS, plan_of, run_spec, suite_spec
from tests.golden.plans import CASES, FOLDER, objects_of, pod_specs, read_case
from tests.pod_rules import containers_of, problems, size_of

Object = dict[str, Any]
PODS = [(case, name) for case in CASES for name in pod_specs(read_case(case))]


def suite_of(**more: Any) -> PlannedSuite:
    return plan_of(run_spec(suites=[suite_spec(**more)])).suites[0]


def container_of(suite: PlannedSuite, name: str = "suite") -> Object:
    spec = suite.job["spec"]["template"]["spec"]
    return next(item for item in containers_of(spec) if item["name"] == name)


def variables_of(container: Object) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


# --- Every pod ----------------------------------------------------------------------------------------------


PLACEMENT: Object = {
    "runtimeClassName": "gvisor",
    "nodeSelector": {"pool": "tests"},
    "tolerations": [{"key": "tests", "operator": "Exists"}],
    "priorityClassName": "tests",
}


@pytest.mark.parametrize("case", CASES)
def test_every_pod_is_where_the_administrator_has_runs(case: str) -> None:
    manifest = yaml.safe_load((FOLDER / case / "testrun.yaml").read_text())
    placed = SETTINGS.model_copy(update={"runs": RunPods.model_validate(PLACEMENT)})
    for plan, wanted in ((read_case(case), {}), (plan_of(manifest["spec"], settings=placed), PLACEMENT)):
        specs = pod_specs(plan)
        assert len(specs) >= 1 + len(plan.services) + len(plan.applications) + len(plan.suites)
        for name, spec in specs.items():
            assert {key: spec[key] for key in PLACEMENT if key in spec} == wanted, name


@pytest.mark.parametrize(("case", "name"), PODS, ids=[f"{case}: {name}" for case, name in PODS])
def test_every_pod_is_restricted(case: str, name: str) -> None:
    assert problems(pod_specs(read_case(case))[name]) == []


def spoil(path: str, value: Any) -> Object:
    """A good pod's spec with one member changed; `value` of ... removes it."""
    spec: Object = copy.deepcopy(pod_specs(read_case("all-services"))["Pod kafka"])
    *parents, last = path.split(".")
    place: Any = spec
    for part in parents:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return spec


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hostNetwork", True),
        ("hostPID", True),
        ("hostIPC", True),
        ("automountServiceAccountToken", True),
        ("automountServiceAccountToken", ...),
        ("enableServiceLinks", ...),
        ("serviceAccountName", ...),
        ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
        ("securityContext.runAsNonRoot", False),
        ("securityContext.runAsUser", 0),
        ("securityContext.seccompProfile", {"type": "Unconfined"}),
        ("volumes", [{"name": "data", "hostPath": {"path": "/"}}]),
        ("volumes", [{"name": "data", "emptyDir": {}}]),
        ("volumes", [{"name": "data", "emptyDir": {"medium": "Memory"}}]),
        ("volumes", [{"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]),
        ("volumes", [{"name": "data", "configMap": {}}] * 2),
        ("volumes", []),
        ("containers.0.securityContext.privileged", True),
        ("containers.0.securityContext.allowPrivilegeEscalation", ...),
        ("containers.0.securityContext.capabilities", {"drop": ["NET_RAW"]}),
        ("containers.0.securityContext.capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
        ("containers.0.securityContext.procMount", "Unmasked"),
        ("containers.0.securityContext.runAsUser", 0),
        ("containers.0.securityContext.runAsNonRoot", False),
        ("containers.0.securityContext.readOnlyRootFilesystem", False),
        ("containers.0.securityContext.seccompProfile", {"type": "Unconfined"}),
        ("containers.0.ports", [{"containerPort": 1, "hostPort": 1}]),
        ("containers.0.resources.limits", {}),
        ("containers.0.resources.requests", ...),
        ("containers.0.volumeMounts", [{"name": "data", "mountPath": "/a"}] * 2),
        ("containers.0.env", [{"name": "A", "value": "1"}] * 2),
        ("initContainers", [{"name": "kafka"}]),
    ],
)
def test_the_check_finds_what_is_wrong(path: str, value: Any) -> None:
    assert problems(spoil("restartPolicy", "Never")) == []
    assert problems(spoil(path, value)) != []


# --- What belongs together ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
class TestEveryPlan:
    def test_no_two_objects_have_the_same_name(self, case: str) -> None:
        plan = read_case(case)
        names = [(item["kind"], item["metadata"]["name"]) for item in objects_of(plan)]
        names += [(item.kind, item.target) for item in plan.copies]
        assert len(names) == len(set(names))

    def test_everything_is_in_the_runs_namespace_and_bears_its_labels(self, case: str) -> None:
        plan = read_case(case)
        for item in objects_of(plan):
            metadata = item["metadata"]
            assert metadata.get("namespace", plan.namespace_name) == plan.namespace_name
            assert metadata["labels"][RUN_UID_LABEL] == plan.run.uid
            template = (item.get("spec") or {}).get("template")
            if template:
                assert template["metadata"]["labels"] == metadata["labels"]

    def test_the_namespace_is_fenced_in_before_any_pod(self, case: str) -> None:
        plan = read_case(case)
        labels = plan.namespace["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        kinds = [item["kind"] for item in plan.isolation]
        assert {"ServiceAccount", "ResourceQuota", "LimitRange", "NetworkPolicy", "ConfigMap"} == set(kinds)
        assert not {"Pod", "Job", "Deployment"} & set(kinds)
        account = plan.isolation[0]
        assert account["automountServiceAccountToken"] is False
        assert all(spec["serviceAccountName"] == account["metadata"]["name"] for spec in pod_specs(plan).values())

    def test_all_that_pods_refer_to_is_there(self, case: str) -> None:
        plan = read_case(case)
        keys = {"connection": set(plan.connection["stringData"])}
        copied = {(item.kind, item.target) for item in plan.copies}
        config_maps = [item for item in plan.isolation if item["kind"] == "ConfigMap"]
        made = {item["metadata"]["name"] for item in config_maps}
        keys |= {item["metadata"]["name"]: set(item["data"]) for item in config_maps}
        for spec in pod_specs(plan).values():
            for volume in spec.get("volumes") or ():
                if "configMap" in volume:
                    name = volume["configMap"]["name"]
                    assert name in made or ("ConfigMap", name) in copied
            for entry in (entry for container in containers_of(spec) for entry in container.get("env") or ()):
                source = entry.get("valueFrom") or {}
                for kind, member in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                    if member in source:
                        ref = source[member]
                        assert (kind, ref["name"]) in copied or ref["key"] in keys[ref["name"]]

    def test_services_select_the_pods_that_they_are_for_and_no_others(self, case: str) -> None:
        plan = read_case(case)
        pods = {}
        for item in objects_of(plan):
            template = item if item["kind"] == "Pod" else (item.get("spec") or {}).get("template")
            if template:
                pods[item["kind"], item["metadata"]["name"]] = template["metadata"]["labels"]
        for item in objects_of(plan):
            if item["kind"] == "Service":
                selector = item["spec"]["selector"].items()
                chosen = [name for name, labels in pods.items() if selector <= labels.items()]
                assert [name for _, name in chosen] == [item["metadata"]["name"]]
                assert item["spec"]["clusterIP"] == "None"

    def test_a_run_of_this_size_fits_into_the_default_quota(self, case: str) -> None:
        plan = read_case(case)
        pods = 0
        limits = requests = 0.0
        for name, spec in pod_specs(plan).items():
            suite = next((item for item in plan.suites if name == f"Job {item.job['metadata']['name']}"), None)
            times = suite.shards if suite else 1
            pods += times
            for container in containers_of(spec):
                limits += times * size_of(container["resources"]["limits"]["memory"])
                requests += times * size_of(container["resources"]["requests"]["memory"])
        assert pods <= SETTINGS.quota.pods
        assert limits <= size_of(SETTINGS.quota.limits_memory)
        assert requests <= size_of(SETTINGS.quota.requests_memory)

    def test_no_secret_is_in_it(self, case: str) -> None:
        plan = read_case(case)
        for key, value in plan.connection["stringData"].items():
            if any(word in key for word in ("PASSWORD", "TOKEN")):
                assert value.startswith("${secret:")
        assert plan.connection["immutable"] is True

    def test_every_container_with_the_products_image_runs_as_its_user(self, case: str) -> None:
        for spec in pod_specs(read_case(case)).values():
            for container in containers_of(spec):
                if container["image"] == SETTINGS.images.agent:
                    user = container["securityContext"].get("runAsUser", spec["securityContext"].get("runAsUser"))
                    assert user == 65532


def test_an_application_and_a_suite_may_have_the_same_name() -> None:
    plan = plan_of(run_spec(applications=[{"name": "core", "image": "x"}]))
    selector = plan.applications[0].service["spec"]["selector"]
    assert selector == plan.applications[0].deployment["spec"]["selector"]["matchLabels"]
    labels = plan.suites[0].job["spec"]["template"]["metadata"]["labels"]
    assert labels[NAME_LABEL] == selector[NAME_LABEL]
    assert labels[COMPONENT_LABEL] != selector[COMPONENT_LABEL]


def test_no_application_can_take_the_name_of_something_else() -> None:
    plan = plan_of(run_spec(services={name: {} for name in PLANNERS if name != "redpanda"}))
    services = {item["metadata"]["name"] for item in objects_of(plan) if item["kind"] == "Service"}
    assert services | {"redpanda"} == set(RESERVED_NAMES)


# --- Services -----------------------------------------------------------------------------------------------


def test_nothing_but_the_gate_and_a_suite() -> None:
    plan = plan_of()
    assert (plan.services, plan.applications, plan.copies) == ((), (), ())
    assert [suite.name for suite in plan.suites] == ["core"]
    assert plan.connection["stringData"] == {}
    assert (plan.parallelism, plan.provision_seconds, plan.total_seconds) == (1, 300, 3600)
    assert (plan.retention_success_seconds, plan.retention_failure_seconds) == (0, 1800)


def test_the_input_of_the_environment_pod() -> None:
    plan = read_case("all-services")
    config_map = next(item for item in plan.isolation if item["metadata"]["name"] == "environment")
    content = json.loads(config_map["data"]["environment.json"])
    assert content["deadlineSeconds"] == 90
    assert content["gatePort"] == 8377
    assert [item["name"] for item in content["services"]] == ["kafka", "redis", "postgres", "influxdb"]
    assert content["services"][2]["initSQL"] == ["/etc/seatrial/init-sql"]
    checks = {item["name"]: next(iter(item["ready"])) for item in content["applications"]}
    assert checks == {"gateway": "tcp", "worker": "resolves", "clock": "resolves"}


def test_more_than_a_variable_can_hold_is_refused() -> None:
    topics = [{"name": f"topic-{number}", "config": {"retention.ms": "1" * 250}} for number in range(100)]
    assert plan_of(run_spec(services={"kafka": {"topics": topics}}))
    for topic in topics:
        topic["config"] = {f"config.{number}": "1" * 250 for number in range(4)}
    with pytest.raises(PlanError, match=r"environment pod .* takes \d+ characters, at most 98304 are allowed"):
        plan_of(run_spec(services={"kafka": {"topics": topics}}))


def test_without_sql_the_environment_pod_has_no_volume_to_wait_for() -> None:
    def volumes(services: dict[str, Any]) -> list[str]:
        _, pod = plan_of(run_spec(services=services)).environment
        return [volume["name"] for volume in pod["spec"]["volumes"]]

    assert volumes({"redis": {}, "postgres": {}}) == []
    assert volumes({"postgres": {"initSQL": {"configMapRef": {"name": "tables"}}}}) == ["init-sql"]


def test_only_the_environment_pod_gets_what_is_private() -> None:
    plan = read_case("all-services")
    holders = [
        name
        for name, spec in pod_specs(plan).items()
        if any(entry["name"] == "INFLUXDB_PASSWORD" for item in containers_of(spec) for entry in item.get("env") or ())
    ]
    assert holders == ["Pod environment"]


def test_in_pod_files_are_mounted() -> None:
    config_map = next(item for item in plan_of().isolation if item["metadata"]["name"] == "inpod")
    assert config_map["data"] == INPOD_FILES


@pytest.mark.parametrize("name", PLANNERS)
def test_a_planner_plans_nothing_that_was_not_asked_for(name: str) -> None:
    assert PLANNERS[name](RUN, "image", "Always", parse_spec(run_spec()).services, Names()) is None


@pytest.mark.parametrize("registry", [True, False])
def test_the_schema_registry_is_there_when_it_was_asked_for(*, registry: bool) -> None:
    plan = plan_of(run_spec(services={"redpanda": {"schemaRegistry": registry}}))
    (service,) = plan.services
    assert ("SCHEMA_REGISTRY_URL" in service.variables) == registry
    assert ("registry" in {port["name"] for port in service.service["spec"]["ports"]}) == registry
    assert any("schema-registry" in arg for arg in service.pod["spec"]["containers"][0]["args"]) == registry
    assert service.environment["schemaRegistry"] == registry


def test_a_version_of_the_catalogue() -> None:
    (service,) = plan_of(run_spec(services={"kafka": {"version": "4.0"}})).services
    assert service.image == "registry.test/kafka:4.0"


def test_a_version_that_the_catalogue_has_not() -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(run_spec(services={"kafka": {"version": "3.9"}}))
    assert caught.value.reason == "UnknownVersion"
    assert str(caught.value) == (
        "spec.services.kafka.version: '3.9' is not in this operator's catalogue; it has: 4.0, 4.1. "
        "Leave version out for the default or ask the operator's administrator to add it (chart value `catalogue`)"
    )


def test_a_service_that_the_catalogue_has_not() -> None:
    settings = SETTINGS.model_copy(update={"catalogue": {"redis": SETTINGS.catalogue["redis"]}})
    with pytest.raises(PlanError) as caught:
        plan_of(run_spec(services={"kafka": {}}), settings=settings)
    assert caught.value.reason == "UnknownService"
    assert str(caught.value) == (
        "spec.services.kafka: this operator's catalogue has no kafka; it has: redis. "
        "Ask the operator's administrator to add it (chart value `catalogue`)"
    )


def test_a_catalogue_with_nothing_in_it() -> None:
    for catalogue, reason in (({}, "UnknownService"), ({"redis": {"default": "8", "versions": {}}}, "UnknownVersion")):
        settings = parse_settings({"images": {"agent": "a", "suite": "s"}, "catalogue": catalogue})
        with pytest.raises(PlanError, match="it has: none") as caught:
            plan_of(run_spec(services={"redis": {}}), settings=settings)
        assert caught.value.reason == reason


# --- Applications and suites --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "requests", "limits"),
    [
        ({}, {"cpu": "25m", "memory": "256Mi"}, {"memory": "256Mi"}),
        ({"limits": {"memory": "1Gi"}}, {"cpu": "25m", "memory": "1Gi"}, {"memory": "1Gi"}),
        ({"requests": {"memory": "1Gi"}}, {"cpu": "25m", "memory": "1Gi"}, {"memory": "1Gi"}),
        ({"limits": {"cpu": "2"}}, {"cpu": "2", "memory": "256Mi"}, {"cpu": "2", "memory": "256Mi"}),
        (
            {"requests": {"cpu": "1", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            {"cpu": "1", "memory": "64Mi"},
            {"memory": "128Mi"},
        ),
    ],
)
def test_resources_that_were_asked_for(wanted: Object, requests: Object, limits: Object) -> None:
    plan = plan_of(run_spec(applications=[{"name": "app", "image": "x", "resources": wanted}]))
    container = plan.applications[0].deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {"requests": requests, "limits": limits}


def test_a_users_variable_replaces_ours_but_not_what_the_run_needs() -> None:
    env = [{"name": "REDIS_URL", "value": "redis://mine"}, {"name": "SEATRIAL_GATE", "value": "http://no"}]
    plan = plan_of(run_spec(services={"redis": {}}, suites=[suite_spec(env=[*env, {"name": "EMPTY"}])]))
    found = variables_of(container_of(plan.suites[0]))
    assert found["REDIS_URL"] == "redis://mine"
    assert found["SEATRIAL_GATE"] == "http://environment:8377/gate"
    assert found["EMPTY"] == ""


def test_what_the_supervisor_is_told() -> None:
    suite = suite_of(timeout="2m30s", retries=3, shards=2, pytest={"paths": ["tests"], "markers": "a", "args": ["-x"]})
    found = variables_of(container_of(suite))
    assert found["SEATRIAL_TIMEOUT_SECONDS"] == "150"
    assert found["SEATRIAL_GATE_SECONDS"] == "330"
    assert (found["SEATRIAL_RETRIES"], found["SEATRIAL_SHARDS"]) == ("3", "2")
    assert json.loads(found["SEATRIAL_PYTEST_ARGS"]) == ["tests", "-m", "a", "-x"]
    assert (found["SEATRIAL_RUN"], found["SEATRIAL_SUITE"]) == ("orders", "core")
    assert container_of(suite)["command"] == ["python3", "/seatrial/supervisor.py"]


def test_a_job_is_tried_once_and_every_shard_by_itself() -> None:
    """`backoffLimit: 0` would stop all shards as soon as the tests of one have failed."""
    spec = suite_of(shards=4, timeout="1m").job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
    assert spec["backoffLimitPerIndex"] == 0
    assert "backoffLimit" not in spec
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == 330 + 60 + 10 + 60


def test_the_relay_is_a_native_sidecar_of_its_own_memory() -> None:
    spec = suite_of().job["spec"]["template"]["spec"]
    (relay,) = spec["initContainers"]
    assert (relay["name"], relay["restartPolicy"]) == ("relay", "Always")
    assert relay["resources"]["limits"]["memory"] == "96Mi"
    assert spec["terminationGracePeriodSeconds"] > 0


@pytest.mark.parametrize("path", ["/results/junit.xml", "/tmp/junit.xml", "/tmp/results/junit.xml"])
def test_where_a_junit_file_may_be(path: str) -> None:
    suite = suite_of(image="x", junit={"path": path})
    spec = suite.job["spec"]["template"]["spec"]
    assert problems(spec) == []
    folder = path.rpartition("/")[0]
    assert {"name": "junit", "mountPath": folder} in container_of(suite)["volumeMounts"]
    assert {"name": "junit", "mountPath": folder, "readOnly": True} in container_of(suite, "relay")["volumeMounts"]
    assert variables_of(container_of(suite, "relay"))["SEATRIAL_JUNIT"] == path
    assert "/tmp" in {item["mountPath"] for item in container_of(suite)["volumeMounts"]}
    assert [item["name"] for item in spec["initContainers"]] == ["relay", "gate"]
    assert suite.junit


def test_a_suite_without_an_image_gets_ours() -> None:
    assert suite_of().image == "registry.test/suite:1"
    assert container_of(suite_of(image="mine:1"))["image"] == "mine:1"


def test_tests_from_a_config_map() -> None:
    suite = suite_of(testsFrom={"configMapRef": {"name": "my-tests"}})
    assert container_of(suite)["workingDir"] == "/tests"
    assert {"name": "tests", "mountPath": "/tests", "readOnly": True} in container_of(suite)["volumeMounts"]
    assert [(item.kind, item.source, item.target) for item in suite.copies] == [
        ("ConfigMap", "my-tests", "configmap-my-tests")
    ]


def test_what_several_need_is_copied_once() -> None:
    plan = read_case("shards-retries-secrets")
    assert [(item.kind, item.source) for item in plan.copies] == [
        ("Secret", "credentials"),
        ("ConfigMap", "settings.v1"),
    ]


@pytest.mark.parametrize(
    ("options", "args"),
    [
        ({}, []),
        ({"paths": ["a", "b"]}, ["a", "b"]),
        ({"markers": "not slow"}, ["-m", "not slow"]),
        ({"keyword": "kafka"}, ["-k", "kafka"]),
        (
            {"paths": ["a"], "markers": "m", "keyword": "k", "args": ["-x", "--", "b"]},
            ["a", "-m", "m", "-k", "k", "-x", "--", "b"],
        ),
    ],
)
def test_the_arguments_of_pytest(options: Object, args: list[str]) -> None:
    assert pytest_args(Pytest.model_validate(options)) == args


# --- Any spec -----------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
SERVICES = st.fixed_dictionaries(
    {},
    optional={
        "redis": st.just({}),
        "postgres": st.just({}) | st.just({"initSQL": {"configMapRef": {"name": "schema"}}}),
        "influxdb": st.just({}),
        "kafka": st.just({"topics": [{"name": "t"}]}),
    },
)
VARIABLES = st.lists(
    st.sampled_from(
        [
            {"name": "A", "value": "1"},
            {"name": "REDIS_URL", "value": "x"},
            {"name": "SEATRIAL_RECORDS", "value": "x"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "k"}}},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "schema", "key": "k"}}},
        ]
    ),
    unique_by=lambda item: item["name"],
)
PORTS = [{"name": "http", "port": 8080}]
APPLICATIONS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES.filter(lambda name: name not in RESERVED_NAMES), "image": st.just("x"), "ports": st.just(PORTS)},
        optional={
            "env": VARIABLES,
            "ready": st.sampled_from(
                [{"http": {"port": "http"}}, {"tcp": {"port": "http"}}, {"exec": {"command": ["x"]}}]
            ),
        },
    ),
    max_size=3,
    unique_by=lambda item: item["name"],
)
SUITES = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={
            "env": VARIABLES,
            "shards": st.integers(1, 32),
            "testsFrom": st.just({"configMapRef": {"name": "schema"}}),
        },
    )
    | st.fixed_dictionaries(
        {
            "name": NAMES,
            "image": st.just("x"),
            "junit": st.sampled_from([{"path": "/tmp/x"}, {"path": "/seatrial/x"}, {"path": "/a/b/x"}]),
        },
        optional={"env": VARIABLES},
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda item: item["name"],
)


@given(services=SERVICES, applications=APPLICATIONS, suites=SUITES)
def test_every_pod_of_any_spec_is_restricted(
    services: Object, applications: list[Object], suites: list[Object]
) -> None:
    plan: Plan = plan_of({"services": services, "applications": applications, "suites": suites})
    assert plan.namespace_name == NAMESPACE
    for name, spec in pod_specs(plan).items():
        assert problems(spec) == [], name
    names = [(item["kind"], item["metadata"]["name"]) for item in objects_of(plan)]
    assert len(names) == len(set(names))


def test_applications_are_told_to_the_others_by_variables() -> None:
    ports = {"order-gateway": {"grpc": 9000, "http": 8080}, "worker": {}}
    assert application_variables(ports, Names()) == {
        "ORDER_GATEWAY_HOST": "order-gateway",
        "ORDER_GATEWAY_PORT": "9000",
        "ORDER_GATEWAY_PORT_GRPC": "9000",
        "ORDER_GATEWAY_PORT_HTTP": "8080",
        "ORDER_GATEWAY_URL": "http://order-gateway:8080",
    }


def test_no_address_is_lost_on_an_engine_without_names() -> None:
    """Wherever the plan of the cluster names a host, that of another engine has the address that it gives."""

    class Elsewhere:
        def find(self, name: str, port: int) -> Address:
            return Address(
                "127.0.0.1", {"environment": 1, "kafka": 2, "redis": 3, "app": 4}[name] * 10_000 + port % 10_000
            )

        def ready_file(self, application: str) -> str:
            return f"/run/{application}.ready"

    spec = run_spec(
        services={"kafka": {}, "redis": {}},
        applications=[
            {
                "name": "app",
                "image": "app:1",
                "ports": [{"name": "http", "port": 8080}],
                "ready": {"tcp": {"port": "http"}},
            },
            {"name": "worker", "image": "app:1"},
        ],
    )
    plan = make_plan(RUN, parse_spec(spec), SETTINGS, INPOD_FILES, Elsewhere())
    text = json.dumps([plan.connection, *plan.isolation, *(suite.job for suite in plan.suites)])
    for host in ("kafka:9092", "@redis:", "http://environment", "http://app"):
        assert host not in text
    for address in ("127.0.0.1:29092", "127.0.0.1:36379", "http://127.0.0.1:18377/gate", "http://127.0.0.1:48080"):
        assert address in text
    entries = json.loads(
        next(item for item in plan.isolation if item["metadata"]["name"] == "environment")["data"]["environment.json"]
    )
    assert entries["gatePort"] == 18377
    assert entries["applications"] == [
        {"name": "app", "host": "127.0.0.1", "ready": {"tcp": {"port": 48080}}},
        {"name": "worker", "ready": {"resolves": {"seconds": 2.0, "file": "/run/worker.ready"}}},
    ]


class TestEgress:
    """What an administrator opens, and for whom."""

    SETTINGS = parse_settings(
        SETTINGS.model_dump(by_alias=True)
        | {
            "egress": [
                {"cidr": "203.0.113.0/24", "except": ["203.0.113.1/32"], "ports": [{"port": 443}]},
                {
                    "cidr": "2001:db8::/32",
                    "ports": [{"protocol": "UDP", "port": 1, "endPort": 9}],
                    "namespaces": ["qa-*"],
                },
            ]
        }
    )

    def rules(self, namespace: str) -> list[Any]:
        plan = plan_of(run=RunId("r", namespace, RUN.uid), settings=self.SETTINGS)
        found = [item for item in plan.isolation if item["metadata"]["name"] == "egress"]
        return [rule for item in found for rule in item["spec"]["egress"]]

    def test_for_all(self) -> None:
        assert self.rules("team-a") == [
            {
                "to": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.1/32"]}}],
                "ports": [{"protocol": "TCP", "port": 443}],
            }
        ]

    def test_for_some(self) -> None:
        assert self.rules("qa-1")[1] == {
            "to": [{"ipBlock": {"cidr": "2001:db8::/32"}}],
            "ports": [{"protocol": "UDP", "port": 1, "endPort": 9}],
        }

    def test_without_it_there_is_no_such_policy(self) -> None:
        assert not [item for item in plan_of().isolation if item["metadata"]["name"] == "egress"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"cidr": "10.0.0.0/8"},
            {"cidr": "10.0.0.0/8", "ports": []},
            {"cidr": "x", "ports": [{"port": 1}]},
            {"cidr": "10.0.0.0/8", "ports": [{"port": 0}]},
        ],
    )
    def test_addresses_without_ports_are_refused(self, wrong: Any) -> None:
        with pytest.raises(ValidationError):
            parse_settings(SETTINGS.model_dump(by_alias=True) | {"egress": [wrong]})


@pytest.mark.parametrize(
    ("resources", "limit"),
    [
        ({}, None),  # the namespace's default
        ({"requests": {"cpu": "1500m"}}, None),
        ({"requests": {"cpu": "2"}}, None),
        ({"requests": {"cpu": "2500m"}}, "2500m"),
        ({"requests": {"cpu": "4"}}, "4"),
        ({"requests": {"cpu": "4"}, "limits": {"cpu": "6"}}, "6"),
        ({"limits": {"cpu": "1"}}, "1"),
    ],
)
def test_a_container_that_asks_for_more_cpu_than_the_default_limit(resources: Any, limit: str | None) -> None:
    """A request above the limit, also one by default, would be refused."""
    application = {"name": "app", "image": "app:1", "resources": resources}
    plan = plan_of({"applications": [application], "suites": [suite_spec("core", resources=resources)]})
    specs = [plan.applications[0].deployment, plan.suites[0].job]
    for spec in (item["spec"]["template"]["spec"] for item in specs):
        assert spec["containers"][0]["resources"]["limits"].get("cpu") == limit


@pytest.mark.parametrize(("text", "amount"), [("500m", 0.5), ("2", 2.0), ("1.5", 1.5), ("0", 0.0), ("1k", 1000.0)])
def test_amounts_of_cpu(text: str, amount: float) -> None:
    assert cores(text) == amount
