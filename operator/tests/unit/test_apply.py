"""Carrying out the steps of a decision."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from seatrial import apply
from seatrial.apply import carry_out, draw_secrets
from seatrial.credentials import redact
from seatrial.errors import (
    AlreadyExistsError,
    ClusterError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from tests.builders import NAMESPACE, SETTINGS, plan_of, suite_spec
from tests.fake_cluster import FakeCluster, Write

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.plan import Plan

PLAN = plan_of(
    {
        "services": {"redis": {}, "postgres": {"initSQL": {"configMapRef": {"name": "schema"}}}},
        "applications": [{"name": "app", "image": "app:1"}],
        "suites": [suite_spec("core"), suite_spec("slow")],
    }
)
STEPS = ("namespace", "isolation", "connection", "copies", "services", "environment", "applications", "suite:core")


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster()
    cluster.objects["ConfigMap", "team-a", "schema"] = {
        "kind": "ConfigMap",
        "metadata": {"name": "schema", "namespace": "team-a", "labels": {"theirs": "1"}},
        "data": {"1.sql": "SELECT 1"},
        "binaryData": {"2.sql": "AA=="},
    }
    return cluster


def failing(errors: dict[str, Exception]) -> Callable[[int, Write], None]:
    def before(_: int, write: Write) -> None:
        if write.what in errors:
            raise errors[write.what]

    return before


async def test_everything_is_made(cluster: FakeCluster) -> None:
    done, refused = await carry_out(cluster, PLAN, STEPS)
    assert set(done) == set(STEPS)
    assert refused == {}
    made = {(key[0], key[2]) for key in cluster.objects if key[1] in {"", NAMESPACE}}
    assert made >= {
        ("Namespace", NAMESPACE),
        ("Secret", "connection"),
        ("ConfigMap", "configmap-schema"),
        ("Pod", "redis"),
        ("Service", "redis"),
        ("Pod", "environment"),
        ("Deployment", "app"),
        ("Job", "suite-core"),
    }
    assert ("Job", "suite-slow") not in made


async def test_every_step_can_be_repeated(cluster: FakeCluster) -> None:
    await carry_out(cluster, PLAN, STEPS)
    secret = cluster.objects["Secret", NAMESPACE, "connection"]
    await carry_out(cluster, PLAN, STEPS)
    assert set(cluster.created.values()) == {1}
    assert cluster.objects["Secret", NAMESPACE, "connection"] == secret  # no other passwords


async def test_only_what_was_asked_for(cluster: FakeCluster) -> None:
    await carry_out(cluster, PLAN, ["namespace"])
    assert [str(write) for write in cluster.writes] == [f"create Namespace {NAMESPACE}"]
    assert await carry_out(cluster, PLAN, []) == ([], {})


async def test_running_state_is_created_and_not_applied(cluster: FakeCluster) -> None:
    await carry_out(cluster, PLAN, STEPS)
    verbs = {write.what: write.verb for write in cluster.writes}
    assert {verbs[what] for what in ("Pod redis", "Pod environment", "Job suite-core", "Secret connection")} == {
        "create"
    }
    assert {verbs[what] for what in ("Service redis", "Deployment app", "ResourceQuota run")} == {"apply"}


async def test_a_copy_has_the_data_and_nothing_else(cluster: FakeCluster) -> None:
    await carry_out(cluster, PLAN, ["namespace", "copies"])
    copied = cluster.objects["ConfigMap", NAMESPACE, "configmap-schema"]
    assert copied["data"] == {"1.sql": "SELECT 1"}
    assert copied["binaryData"] == {"2.sql": "AA=="}
    assert "theirs" not in copied["metadata"]["labels"]


async def test_a_step_that_is_refused_stops_what_comes_after_it(cluster: FakeCluster) -> None:
    cluster.before = failing({"ResourceQuota run": ForbiddenError("no right")})
    done, refused = await carry_out(cluster, PLAN, STEPS)
    assert done == ["namespace", "connection", "copies"]
    assert refused == {"isolation": ("Forbidden", "ResourceQuota run: no right")}
    assert not {"Pod", "Job", "Deployment"} & {key[0] for key in cluster.objects}


async def test_all_refusals_are_told(cluster: FakeCluster) -> None:
    errors: dict[str, Exception] = {"Pod redis": InvalidError("a"), "Job suite-core": InvalidError("b")}
    cluster.before = failing(errors)
    done, refused = await carry_out(cluster, PLAN, STEPS)
    assert refused == {"services": ("Refused", "Pod redis: a"), "suite:core": ("Refused", "Job suite-core: b")}
    assert "environment" in done


async def test_nothing_goes_on_behind_a_refusal(cluster: FakeCluster) -> None:
    cluster.before = failing({"Pod redis": InvalidError("a")})
    await carry_out(cluster, PLAN, STEPS)
    writes = list(cluster.writes)
    for _ in range(20):
        await asyncio.sleep(0)
    assert cluster.writes == writes


@pytest.mark.parametrize("other", [InvalidError("a"), ZeroDivisionError("a defect")])
async def test_what_outweighs_an_api_server_that_cannot_answer(cluster: FakeCluster, other: Exception) -> None:
    errors = {"Pod redis": UnavailableError("503"), "Service redis": other, "Deployment app": UnavailableError("503")}
    cluster.before = failing(errors)
    if isinstance(other, ClusterError):
        _, refused = await carry_out(cluster, PLAN, STEPS)
        assert refused == {"services": ("Refused", "Service redis: a")}
    else:
        with pytest.raises(ZeroDivisionError):
            await carry_out(cluster, PLAN, STEPS)


@pytest.mark.parametrize("other", ["Service redis", "Deployment app"], ids=["same step", "another step"])
async def test_a_defect_outweighs_a_refusal(cluster: FakeCluster, other: str) -> None:
    cluster.before = failing({"Pod redis": InvalidError("a"), other: ZeroDivisionError("a defect")})
    with pytest.raises(ZeroDivisionError):
        await carry_out(cluster, PLAN, STEPS)


async def test_an_api_server_that_cannot_answer_is_asked_again(cluster: FakeCluster) -> None:
    cluster.before = failing({"Pod redis": UnavailableError("503")})
    with pytest.raises(UnavailableError):
        await carry_out(cluster, PLAN, STEPS)
    cluster.before = failing({})
    done, _ = await carry_out(cluster, PLAN, STEPS)
    assert set(done) == set(STEPS)
    assert set(cluster.created.values()) == {1}


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (AlreadyExistsError("409"), "NameConflict", "Pod redis exists and belongs to something else; delete it"),
        (ForbiddenError("exceeded quota: run"), "QuotaExceeded", "Pod redis: exceeded quota: run"),
        (ForbiddenError("violates PodSecurity"), "PodSecurityViolation", "Pod redis: violates PodSecurity"),
        (ForbiddenError("cannot create"), "Forbidden", "Pod redis: cannot create"),
        (ForbiddenError("x", reason="NamespaceTerminating"), "EnvironmentDeleted", "is being deleted by somebody else"),
        (NotFoundError("namespace"), "EnvironmentDeleted", "is being deleted by somebody else"),
        (InvalidError("spec: no"), "Refused", "Pod redis: spec: no"),
        (ClusterError("405"), "Refused", "Pod redis: 405"),
    ],
)
async def test_what_a_refusal_means(cluster: FakeCluster, error: Exception, reason: str, message: str) -> None:
    cluster.before = failing({"Pod redis": error})
    _, refused = await carry_out(cluster, PLAN, STEPS)
    assert refused["services"][0] == reason
    assert message in refused["services"][1]


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ('User "system:serviceaccount:tools:my-operator" cannot get resource "secrets"', "tools:my-operator"),
        ("forbidden", "seatrial-system:seatrial"),
        ('User "kubernetes-admin" cannot get', "seatrial-system:seatrial"),
    ],
)
async def test_the_command_that_grants_what_is_missing(cluster: FakeCluster, text: str, account: str) -> None:
    cluster.read_error = ForbiddenError(text)
    _, refused = await carry_out(cluster, PLAN, ["namespace", "copies"])
    assert refused["copies"][0] == "ConfigMapAccessDenied"
    assert refused["copies"][1].endswith(
        "kubectl create rolebinding seatrial-secrets -n team-a --clusterrole=seatrial-read-secrets "
        f"--serviceaccount={account}"
    )


class TestSecrets:
    def drawn(self, plan: Plan = PLAN) -> dict[str, Any]:
        found: dict[str, Any] = draw_secrets(plan.connection)["stringData"]
        return found

    def test_the_same_name_gets_the_same_value(self) -> None:
        data = self.drawn()
        assert data["REDIS_URL"] == f"redis://:{data['REDIS_PASSWORD']}@redis:6379/0"
        assert data["DATABASE_URL"] == f"postgresql://test:{data['DATABASE_PASSWORD']}@postgres:5432/test"

    def test_different_names_and_runs_get_different_values(self) -> None:
        one, other = self.drawn(), self.drawn()
        values = {data[key] for data in (one, other) for key in ("REDIS_PASSWORD", "DATABASE_PASSWORD")}
        assert len(values) == 4
        assert len({redact(value) for value in values}) == 4
        assert all(re.fullmatch(r"\[redacted [0-9a-f]{6}\]", redact(value)) for value in values)

    def test_nothing_is_left_to_draw(self) -> None:
        plan = plan_of({"services": {"influxdb": {}, "redis": {}, "postgres": {}}, "suites": [suite_spec()]})
        assert not any("${" in value for value in self.drawn(plan).values())

    def test_the_plan_stays_as_it_is(self) -> None:
        self.drawn()
        assert PLAN.connection["stringData"]["REDIS_PASSWORD"] == "${secret:redis}"


LACKS = 'secrets is forbidden: User "system:serviceaccount:ops:seatrial" cannot create resource "secrets"'


class TestBinding:
    PLAN = plan_of(settings=SETTINGS.model_copy(update={"account": "ops:seatrial"}))

    async def test_the_operator_gets_its_rights_with_the_namespace(self, cluster: FakeCluster) -> None:
        await carry_out(cluster, self.PLAN, ("namespace",))
        made = cluster.objects["RoleBinding", NAMESPACE, "seatrial-operator"]
        assert made["roleRef"]["name"] == "seatrial-run"
        assert made["subjects"] == [{"kind": "ServiceAccount", "name": "seatrial", "namespace": "ops"}]

    async def test_without_an_account_it_has_them(self, cluster: FakeCluster) -> None:
        await carry_out(cluster, PLAN, ("namespace",))
        assert [write.what for write in cluster.writes] == [f"Namespace {NAMESPACE}"]

    @pytest.mark.parametrize("times", [1, 3])
    async def test_a_right_that_comes_late_is_waited_for(
        self, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, times: int
    ) -> None:
        """An API server that has not seen the binding yet."""
        monkeypatch.setattr(apply, "BINDING_SECONDS", (0, 0, 0))
        left = [ForbiddenError(LACKS)] * times

        def before(_: int, write: Write) -> None:
            if write.what == "Secret connection" and left:
                raise left.pop()

        cluster.before = before
        done, refused = await carry_out(cluster, self.PLAN, ("namespace", "connection"))
        assert (done, refused) == (["namespace", "connection"], {})

    async def test_a_right_that_never_comes_is_missing(
        self, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(apply, "BINDING_SECONDS", (0, 0))
        cluster.before = failing({"Secret connection": ForbiddenError(LACKS)})
        _, refused = await carry_out(cluster, self.PLAN, ("namespace", "connection"))
        assert refused["connection"][0] == "Forbidden"
        assert LACKS in refused["connection"][1]

    async def test_what_a_policy_refuses_is_not_tried_again(self, cluster: FakeCluster) -> None:
        cluster.before = failing({"Secret connection": ForbiddenError("ValidatingAdmissionPolicy denied request")})
        await carry_out(cluster, self.PLAN, ("namespace", "connection"))
        assert [write.what for write in cluster.writes].count("Secret connection") == 1


async def test_a_copied_secret_is_created_and_never_patched(cluster: FakeCluster) -> None:
    """The answer to a patch holds the whole Secret, so the operator may not patch any."""
    cluster.objects["Secret", "team-a", "key"] = {"kind": "Secret", "metadata": {"name": "key"}, "data": {"k": "dg=="}}
    env = [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}]
    plan = plan_of({"suites": [suite_spec("core", env=env)]})
    await carry_out(cluster, plan, ("namespace", "copies"))
    assert {write.verb for write in cluster.writes if write.what.startswith("Secret")} == {"create"}
