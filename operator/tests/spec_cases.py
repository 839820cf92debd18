"""Specs that are accepted and specs that are refused: one table for local validation and for the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]

PATTERN_NAME = "should match pattern '^[a-z]([-a-z0-9]*[a-z0-9])?$'"
PATTERN_DURATION = "should match pattern '^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$'"


@dataclass(frozen=True)
class Accepted:
    """A spec that both sides take."""

    name: str
    spec: Spec
    nulls: bool = False
    """Whether the API server stores nulls, which the parsed spec has not."""


@dataclass(frozen=True)
class Refused:
    """A spec that both sides refuse, each with its own words when `server` is not None."""

    name: str
    spec: Spec
    path: str
    message: str
    server: str | None = None

    @property
    def server_message(self) -> str:
        """What the API server says: rules have the same words everywhere, bounds have the server's."""
        return self.message.replace("match pattern", "match") if self.server is None else self.server


def run(**more: Any) -> Spec:
    """A spec with one suite, and more."""
    return {"suites": [{"name": "core"}]} | more


def suite(**more: Any) -> Spec:
    """A spec whose only suite has more than a name."""
    return {"suites": [{"name": "core"} | more]}


def application(**more: Any) -> Spec:
    """A spec whose only application has more than a name and an image."""
    return run(applications=[{"name": "app", "image": "app:1"} | more])


def junit(**more: Any) -> Spec:
    """A spec whose only suite writes JUnit XML."""
    return suite(**({"image": "suite:1", "junit": {"path": "/results/junit.xml"}} | more))


def topics(*names: str, **more: Any) -> Spec:
    """A spec with topics."""
    return run(services={"kafka": {"topics": [{"name": name} | more for name in names]}})


def variables(*items: Spec) -> Spec:
    """A spec with environment variables."""
    return suite(env=list(items))


_HTTP = [{"name": "http", "port": 8080}]
_SECRET = {"secretKeyRef": {"name": "credentials", "key": "token"}}
_CONFIG_MAP = {"configMapKeyRef": {"name": "settings", "key": "LEVEL"}}

ACCEPTED = (
    Accepted("smallest", run()),
    Accepted("services empty", run(services={})),
    Accepted(
        "every service",
        run(
            services={
                "redpanda": {"version": "26.1", "topics": [{"name": "t", "partitions": 3}], "schemaRegistry": True},
                "redis": {},
                "postgres": {
                    "version": "17",
                    "database": "orders",
                    "initSQL": {"configMapRef": {"name": "schema-sql"}},
                },
                "influxdb": {"org": "test-org", "bucket": "test-bucket"},
            },
        ),
    ),
    Accepted("kafka", run(services={"kafka": {"autoCreateTopics": False}})),
    Accepted("topics", topics("a.b_c-D", "b", partitions=100, config={"cleanup.policy": "compact"})),
    Accepted("service with nothing after it", run(services={"redis": None}), nulls=True),
    Accepted("broker with nothing after it", run(services={"kafka": None, "postgres": None}), nulls=True),
    Accepted("null means absent", run(services=None, applications=None, parallelism=None, suspend=None)),
    Accepted("null in a suite", suite(image=None, env=None, shards=None, timeout=None, pytest=None)),
    Accepted("null in a map", topics("t", config={"cleanup.policy": None, "retention.ms": "1"})),
    Accepted(
        "every field of an application",
        application(
            command=["app"],
            args=["--verbose"],
            env=[{"name": "LOG_LEVEL", "value": "info"}],
            ports=_HTTP,
            ready={"http": {"path": "/healthz?full=1", "port": "http"}},
            runAsUser=1000,
            resources={"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1.5", "memory": "1Gi"}},
        ),
    ),
    Accepted("ready http with a default path", application(ports=_HTTP, ready={"http": {"port": "http"}})),
    Accepted("ready tcp", application(ports=_HTTP, ready={"tcp": {"port": "http"}})),
    Accepted("ready exec", application(ready={"exec": {"command": ["app", "--check"]}})),
    Accepted("application called like a suite", application(name="core")),
    Accepted(
        "every field of a pytest suite",
        suite(
            image="registry.example:5000/team/tests:1@sha256:0123456789abcdef",
            pytest={
                "paths": ["tests", "tests/test_a.py::test_b"],
                "markers": "a and not b",
                "keyword": "c",
                "args": [""],
            },
            env=[{"name": "A", "value": ""}, {"name": "B"}],
            shards=32,
            retries=5,
            timeout="24h",
            runAsUser=2147483647,
            resources={"limits": {"memory": "512Mi"}},
        ),
    ),
    Accepted("tests from a ConfigMap", suite(testsFrom={"configMapRef": {"name": "my.tests"}})),
    Accepted(
        "variables from elsewhere",
        variables({"name": "A", "valueFrom": _SECRET}, {"name": "B", "valueFrom": _CONFIG_MAP}),
    ),
    Accepted("longest value", variables({"name": "A", "value": "é" * 4096})),
    Accepted("junit", junit(command=["run"], args=["all"])),
    Accepted("junit with the defaults written out", junit(shards=1, retries=0, pytest=None, testsFrom=None)),
    Accepted("no arguments written out", suite(command=[], args=[])),
    Accepted("longest name", suite(name="a" * 40)),
    Accepted("32 suites", {"suites": [{"name": f"s{number}"} for number in range(32)], "parallelism": 16}),
    Accepted("timeouts", run(timeouts={"provision": "1s", "total": "23h59m60s"})),
    Accepted("zero parts of a timeout", suite(timeout="0h0m1s")),
    Accepted("retention", run(retention={"onSuccess": "0s", "onFailure": "720h"})),
    Accepted("suspend and cancel", run(suspend=True, cancel=True)),
)

REFUSED = (
    # The rules, each with the same words on both sides.
    Refused("two brokers", run(services={"kafka": {}, "redpanda": {}}), "spec.services", "a run has one broker"),
    Refused(
        "two brokers, one with nothing after it",
        run(services={"kafka": None, "redpanda": {}}),
        "spec.services",
        "kafka and redpanda are both set: a run has one broker, remove one",
    ),
    Refused(
        "two brokers with nothing after them",
        run(services={"kafka": None, "redpanda": None}),
        "spec.services",
        "kafka and redpanda are both set: a run has one broker, remove one",
    ),
    *(
        Refused(
            f"application called {name}",
            application(name=name),
            "spec.applications[0]",
            "an application may not be called environment, influxdb, kafka, postgres, redis, redpanda: the environment "
            "uses these names",
        )
        for name in ("environment", "influxdb", "kafka", "postgres", "redis", "redpanda")
    ),
    Refused(
        "value and valueFrom",
        variables({"name": "A", "value": "x", "valueFrom": _SECRET}),
        "spec.suites[0].env[0]",
        "value and valueFrom are both set: keep one",
    ),
    Refused(
        "valueFrom nowhere",
        variables({"name": "A", "valueFrom": {}}),
        "spec.suites[0].env[0].valueFrom",
        "set exactly one of secretKeyRef and configMapKeyRef",
    ),
    Refused(
        "valueFrom both",
        variables({"name": "A", "valueFrom": _SECRET | _CONFIG_MAP}),
        "spec.suites[0].env[0].valueFrom",
        "set exactly one of secretKeyRef and configMapKeyRef",
    ),
    Refused(
        "ready without a check",
        application(ready={}),
        "spec.applications[0].ready",
        "exactly one of http, tcp and exec",
    ),
    Refused(
        "ready with two checks",
        application(ports=_HTTP, ready={"tcp": {"port": "http"}, "exec": {"command": ["true"]}}),
        "spec.applications[0].ready",
        "set exactly one of http, tcp and exec",
    ),
    Refused(
        "ready http on an unknown port",
        application(ports=_HTTP, ready={"http": {"port": "https"}}),
        "spec.applications[0]",
        "ready names a port that is not among the application's ports",
    ),
    Refused(
        "ready tcp without ports",
        application(ready={"tcp": {"port": "http"}}),
        "spec.applications[0]",
        "ready names a port that is not among the application's ports",
    ),
    Refused("junit without an image", junit(image=None), "spec.suites[0]", "a suite with junit needs an image"),
    Refused(
        "junit and testsFrom",
        junit(testsFrom={"configMapRef": {"name": "t"}}),
        "spec.suites[0]",
        "junit and testsFrom are both set: keep one",
    ),
    Refused("junit and pytest", junit(pytest={}), "spec.suites[0]", "junit and pytest are both set: keep one"),
    Refused("junit and shards", junit(shards=2), "spec.suites[0]", "shards and retries work with pytest only"),
    Refused(
        "junit and retries",
        junit(retries=1),
        "spec.suites[0]",
        "shards and retries work with pytest only: remove them or junit",
    ),
    Refused(
        "command without junit",
        suite(command=["run"]),
        "spec.suites[0]",
        "command and args are for suites with junit: give pytest its arguments as pytest.args",
    ),
    Refused("args without junit", suite(args=["-x"]), "spec.suites[0]", "command and args are for suites with junit"),
    Refused(
        "timeout of nothing",
        suite(timeout="0s"),
        "spec.suites[0].timeout",
        "a timeout must be between 1s and 24h, not 0s",
    ),
    Refused("timeout too long", suite(timeout="25h"), "spec.suites[0].timeout", "must be between 1s and 24h, not 25h"),
    Refused("timeout a second too long", suite(timeout="24h1s"), "spec.suites[0].timeout", "1s and 24h, not 24h1s"),
    Refused("longest hours", suite(timeout="999999h"), "spec.suites[0].timeout", "1s and 24h, not 999999h"),
    Refused("provision too long", run(timeouts={"provision": "1441m"}), "spec.timeouts.provision", "not 1441m"),
    Refused("total of nothing", run(timeouts={"total": "0h0m0s"}), "spec.timeouts.total", "and 24h, not 0h0m0s"),
    # Patterns.
    Refused("timeout garbage", suite(timeout="10 minutes"), "spec.suites[0].timeout", PATTERN_DURATION),
    Refused("timeout backwards", suite(timeout="1s1h"), "spec.suites[0].timeout", PATTERN_DURATION),
    Refused("timeout fractional", suite(timeout="1.5h"), "spec.suites[0].timeout", PATTERN_DURATION),
    Refused("timeout negative", suite(timeout="-5m"), "spec.suites[0].timeout", PATTERN_DURATION),
    Refused("retention garbage", run(retention={"onFailure": "forever"}), "spec.retention.onFailure", PATTERN_DURATION),
    Refused("suite in capitals", suite(name="Core"), "spec.suites[0].name", PATTERN_NAME),
    Refused("suite with a digit first", suite(name="1core"), "spec.suites[0].name", PATTERN_NAME),
    Refused("suite with a dash last", suite(name="core-"), "spec.suites[0].name", PATTERN_NAME),
    Refused("suite with a newline", suite(name="core\n"), "spec.suites[0].name", PATTERN_NAME),
    Refused("application with a dot", application(name="a.b"), "spec.applications[0].name", PATTERN_NAME),
    Refused("image with a space", suite(image="a b"), "spec.suites[0].image", "should match pattern '^[!-~]+$'"),
    Refused(
        "image with a hard space", suite(image="a\u00a0b"), "spec.suites[0].image", "should match pattern '^[!-~]+$'"
    ),
    Refused("variable with a dash", variables({"name": "A-B"}), "spec.suites[0].env[0].name", "should match pattern"),
    Refused("topic with a slash", topics("a/b"), "spec.services.kafka.topics[0].name", "should match pattern"),
    Refused(
        "database in capitals",
        run(services={"postgres": {"database": "Test"}}),
        "spec.services.postgres.database",
        "should match pattern '^[a-z_][a-z0-9_]*$'",
    ),
    Refused(
        "version with a slash",
        run(services={"redis": {"version": "../8"}}),
        "spec.services.redis.version",
        "should match",
    ),
    Refused(
        "path that is an option", suite(pytest={"paths": ["-x"]}), "spec.suites[0].pytest.paths[0]", "should match"
    ),
    Refused("junit in the root folder", junit(junit={"path": "/j.xml"}), "spec.suites[0].junit.path", "should match"),
    Refused("junit relative", junit(junit={"path": "out/j.xml"}), "spec.suites[0].junit.path", "should match"),
    Refused("junit upwards", junit(junit={"path": "/out/../j.xml"}), "spec.suites[0].junit.path", "should match"),
    Refused(
        "memory in words",
        suite(resources={"limits": {"memory": "1 GB"}}),
        "spec.suites[0].resources.limits.memory",
        "match",
    ),
    Refused(
        "readiness path relative",
        application(ports=_HTTP, ready={"http": {"path": "healthz", "port": "http"}}),
        "spec.applications[0].ready.http.path",
        "should match pattern '^/[!-~]*$'",
    ),
    Refused(
        "ConfigMap in capitals",
        suite(testsFrom={"configMapRef": {"name": "My"}}),
        "spec.suites[0].testsFrom.configMapRef.name",
        "should match pattern",
    ),
    # Bounds.
    Refused("no shard", suite(shards=0), "spec.suites[0].shards", "should be greater than or equal to 1"),
    Refused("33 shards", suite(shards=33), "spec.suites[0].shards", "should be less than or equal to 32"),
    Refused("negative retries", suite(retries=-1), "spec.suites[0].retries", "should be greater than or equal to 0"),
    Refused("six retries", suite(retries=6), "spec.suites[0].retries", "should be less than or equal to 5"),
    Refused("root suite", suite(runAsUser=0), "spec.suites[0].runAsUser", "should be greater than or equal to 1"),
    Refused(
        "root application", application(runAsUser=0), "spec.applications[0].runAsUser", "greater than or equal to 1"
    ),
    Refused(
        "user too high",
        suite(runAsUser=2**31),
        "spec.suites[0].runAsUser",
        "should be less than or equal to 2147483647",
    ),
    Refused("no parallelism", run(parallelism=0), "spec.parallelism", "should be greater than or equal to 1"),
    Refused("parallelism 17", run(parallelism=17), "spec.parallelism", "should be less than or equal to 16"),
    Refused(
        "no partition", topics("t", partitions=0), "spec.services.kafka.topics[0].partitions", "than or equal to 1"
    ),
    Refused(
        "port 0", application(ports=[{"name": "http", "port": 0}]), "spec.applications[0].ports[0].port", "equal to 1"
    ),
    Refused(
        "port 65536", application(ports=[{"name": "a", "port": 65536}]), "spec.applications[0].ports[0].port", "65535"
    ),
    Refused("no suites", {"suites": []}, "spec.suites", "should have at least 1 item"),
    Refused(
        "33 suites",
        {"suites": [{"name": f"s{number}"} for number in range(33)]},
        "spec.suites",
        "should have at most 32 items, not 33",
        "must have at most 32 items",
    ),
    Refused(
        "timeout empty",
        suite(timeout=""),
        "spec.suites[0].timeout",
        "should have at least 2 characters",
        "at least 2 chars",
    ),
    Refused("timeout of one character", suite(timeout="5"), "spec.suites[0].timeout", "at least 2 char"),
    Refused(
        "name too long",
        suite(name="a" * 41),
        "spec.suites[0].name",
        "should have at most 40 characters",
        "Too long: may not be more than 40 bytes",
    ),
    Refused(
        "value too long",
        variables({"name": "A", "value": "x" * 4097}),
        "spec.suites[0].env[0].value",
        "should have at most 4096 characters, not 4097 characters",
        "Too long: may not be more than 4096 bytes",
    ),
    Refused(
        "argument too long",
        suite(pytest={"args": ["x" * 4097]}),
        "spec.suites[0].pytest.args[0]",
        "should have at most 4096 characters",
        "Too long: may not be more than 4096 bytes",
    ),
    Refused(
        "65 arguments",
        suite(pytest={"args": ["-v"] * 65}),
        "spec.suites[0].pytest.args",
        "should have at most 64 items",
        "must have at most 64 items",
    ),
    Refused(
        "no command",
        application(ready={"exec": {"command": []}}),
        "spec.applications[0].ready.exec.command",
        "at least 1 item",
    ),
    Refused(
        "33 settings of a topic",
        topics("t", config={f"k{number}": "v" for number in range(33)}),
        "spec.services.kafka.topics[0].config",
        "should have at most 32 items",
        "must have at most 32 items",
    ),
    # Names that are there twice.
    *(
        Refused(
            f"the same {what} twice",
            spec,
            path,
            f"the name '{name}' is there more than once",
            f'Duplicate value: {{"name":"{name}"}}',
        )
        for what, spec, path, name in (
            ("suite", {"suites": [{"name": "core"}, {"name": "other"}, {"name": "core"}]}, "spec.suites", "core"),
            (
                "application",
                run(applications=[{"name": "app", "image": "a"}, {"name": "app", "image": "b"}]),
                "spec.applications",
                "app",
            ),
            (
                "variable",
                variables({"name": "A", "value": "1"}, {"name": "A", "value": "2"}),
                "spec.suites[0].env",
                "A",
            ),
            ("topic", topics("t", "t"), "spec.services.kafka.topics", "t"),
            ("port", application(ports=[*_HTTP, {"name": "http", "port": 1}]), "spec.applications[0].ports", "http"),
        )
    ),
    # Shape.
    Refused("no suites at all", {}, "spec.suites", "is required", "Required value"),
    Refused("suites null", {"suites": None}, "spec.suites", "is required", "Required value"),
    Refused("suite without a name", {"suites": [{}]}, "spec.suites[0].name", "is required", "Required value"),
    Refused(
        "application without an image",
        run(applications=[{"name": "a"}]),
        "spec.applications[0].image",
        "is required",
        "Required value",
    ),
    Refused(
        "unknown service", run(services={"mysql": {}}), "spec.services.mysql", "is an unknown field", "unknown field"
    ),
    Refused("unknown field", run(timeout="5m"), "spec.timeout", "is an unknown field", "unknown field"),
    Refused(
        "name of the code", suite(run_as_user=5), "spec.suites[0].run_as_user", "is an unknown field", "unknown field"
    ),
    Refused(
        "number as text",
        suite(shards="2"),
        "spec.suites[0].shards",
        "must be an integer, not '2'",
        "must be of type integer",
    ),
    Refused(
        "fraction", suite(shards=1.5), "spec.suites[0].shards", "must be an integer, not 1.5", "must be of type int64"
    ),
    Refused(
        "text as a number",
        variables({"name": "A", "value": 8080}),
        "spec.suites[0].env[0].value",
        "must be a string, not 8080",
        "must be of type string",
    ),
    Refused(
        "truth as text",
        run(suspend="true"),
        "spec.suspend",
        "must be true or false, not 'true'",
        "must be of type boolean",
    ),
    Refused(
        "truth as a number", run(cancel=1), "spec.cancel", "must be true or false, not 1", "must be of type boolean"
    ),
    Refused(
        "number as truth",
        suite(retries=True),
        "spec.suites[0].retries",
        "must be an integer",
        "must be of type int64",
    ),
    Refused("list as text", {"suites": "core"}, "spec.suites", "must be a list, not 'core'", "must be of type array"),
    Refused(
        "object as text",
        {"suites": ["core"]},
        "spec.suites[0]",
        "must be an object, not 'core'",
        "must be of type object",
    ),
    Refused(
        "object as a list", run(services=["redis"]), "spec.services", "must be an object", "must be of type object"
    ),
    Refused(
        "null in a list",
        suite(pytest={"args": [None]}),
        "spec.suites[0].pytest.args[0]",
        "must be a string",
        "must be of type string",
    ),
)
