"""What is tried against the API server, by whom, and who refuses it. Each row is one request; `$names` are the scene's."""
# ruff: noqa: E501 - a row of the table is a line

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .actors import APPLY, JSON, MERGE
from .bodies import binding, deployment, event, job, namespace, pod, pod_spec, result_slice, run, thing, variable

Object = dict[str, Any]

REFUSED_BY = {
    "RBAC": r"cannot \w+ resource|attempting to grant RBAC permissions not currently held",
    "fence": r"ValidatingAdmissionPolicy 'seatrial-fence'",
    "reserved": r"ValidatingAdmissionPolicy 'seatrial-reserved'",
    "secrets": r"ValidatingAdmissionPolicy 'seatrial-secrets'.*may not read|names? 1\d Secrets|may name 16 Secrets",
    "configmaps": r"ValidatingAdmissionPolicy 'seatrial-configmaps'.*may not read",
    "Pod Security": r"violates PodSecurity \"restricted",
    "schema": r"unknown field|is invalid|does not match the namespace|strict decoding",
}
"""What refuses something, and how it says so."""
CORE, RBAC, OURS = "/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1", "/apis/seatrial.dev/v1alpha1/namespaces"
STRICT = {"fieldValidation": "Strict"}
OPERATOR, MIGHTY = "operator", "operator with every right"


@dataclass(frozen=True)
class Attempt:
    """One request that must be refused."""

    who: str
    what: str
    method: str
    path: str
    body: Object | None = None
    content: str = JSON
    by: tuple[str, ...] = ("RBAC",)
    query: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.who}: {self.what}"


def _post(who: str, what: str, path: str, body: Object, *by: str, strict: bool = False) -> Attempt:
    query = tuple(STRICT.items()) if strict else ()
    return Attempt(who, what, "POST", path, body, by=by or ("RBAC",), query=query)


def _merge(who: str, what: str, path: str, body: Object, *by: str) -> Attempt:
    return Attempt(who, what, "PATCH", path, body, MERGE, by or ("RBAC",))


def _get(who: str, what: str, path: str) -> Attempt:
    return Attempt(who, what, "GET", path)


def _delete(who: str, what: str, path: str, *by: str) -> Attempt:
    return Attempt(who, what, "DELETE", path, by=by or ("RBAC",))


def _writes() -> list[Attempt]:
    """What the operator's identity must not write, whatever it is granted: each is tried with its own rights too."""
    o, own = OPERATOR, f"{CORE}/$my_space"
    author = {"kind": "ServiceAccount", "name": "author", "namespace": "$tenant"}
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    account_token = {"kubernetes.io/service-account.name": "default"}
    sa_secret = thing(
        "v1", "Secret", labels={"seatrial.dev/run-uid": "$my_uid"}, type="kubernetes.io/service-account-token"
    )
    sa_secret["metadata"]["annotations"] = account_token
    opening = {"podSelector": {}, "ingress": [{}], "egress": [{}], "policyTypes": ["Ingress", "Egress"]}
    uid = {"seatrial.dev/run-uid": "$my_uid"}
    headed = thing("v1", "Service", labels=uid, spec={"ports": [{"port": 80}], "externalIPs": ["10.96.0.1"]})
    mounted = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    return [
        _post(o, "pod in kube-system", f"{CORE}/kube-system/pods", pod(serviceAccountName="default")),
        _post(o, "pod in a tenant's namespace", f"{CORE}/$tenant/pods", pod(serviceAccountName="default")),
        _post(o, "pod beside itself", f"{CORE}/$system/pods", pod(serviceAccountName="seatrial")),
        _post(o, "Job in a tenant's namespace", "/apis/batch/v1/namespaces/$tenant/jobs", job(uid)),
        _post(o, "Deployment in kube-system", "/apis/apps/v1/namespaces/kube-system/deployments", deployment()),
        _post(o, "Secret in kube-system", f"{CORE}/kube-system/secrets", thing("v1", "Secret", labels=uid)),
        _post(o, "ConfigMap in kube-system", f"{CORE}/kube-system/configmaps", thing("v1", "ConfigMap", labels=uid)),
        _post(o, "Service in a tenant's namespace", f"{CORE}/$tenant/services", headed),
        _post(o, "service account in kube-system", f"{CORE}/kube-system/serviceaccounts", thing("v1", "ServiceAccount", labels=uid)),
        _post(o, "NetworkPolicy that opens a tenant's namespace", "/apis/networking.k8s.io/v1/namespaces/$tenant/networkpolicies",
              thing("networking.k8s.io/v1", "NetworkPolicy", labels=uid, spec=opening)),
        # Inside of a run's namespace it may create these, but not such ones.
        _post(o, "token of a service account as a Secret", f"{own}/secrets", sa_secret),
        _post(o, "Service that takes the API server's address", f"{own}/services", headed),
        _post(o, "pod with a token", f"{own}/pods", pod(automountServiceAccountToken=True)),
        _post(o, "pod with another service account", f"{own}/pods", pod(serviceAccountName="default")),
        _post(o, "pod with a projected token", f"{own}/pods", pod(volumes=[mounted])),
        _post(o, "pod with the label of another run", f"{own}/pods", pod({"seatrial.dev/run-uid": "$their_uid"})),
        _post(o, "pod without the label of the run", f"{own}/pods", pod({})),
        _post(o, "Secret with the label of another run", f"{own}/secrets",
              thing("v1", "Secret", labels={"seatrial.dev/run-uid": "$their_uid"})),
        # Roles
        _post(o, "cluster-admin for itself", f"{RBAC}/clusterrolebindings", binding("cluster-admin", kind="ClusterRoleBinding")),
        _post(o, "cluster-admin for itself in a run's namespace", f"{RBAC}/namespaces/$my_space/rolebindings",
              binding("cluster-admin")),
        _post(o, "its role in kube-system", f"{RBAC}/namespaces/kube-system/rolebindings", binding("seatrial-run")),
        _post(o, "its role in a tenant's namespace", f"{RBAC}/namespaces/$tenant/rolebindings", binding("seatrial-run")),
        _post(o, "its role for a tenant", f"{RBAC}/namespaces/$my_space/rolebindings", binding("seatrial-run", who=author)),
        _post(o, "its role under another name", f"{RBAC}/namespaces/$my_space/rolebindings", binding("seatrial-run", name="more")),
        _post(o, "reading a tenant's Secrets", f"{RBAC}/namespaces/$tenant/rolebindings", binding("seatrial-read-secrets")),
        _post(o, "a role with every right", f"{RBAC}/clusterroles", thing("rbac.authorization.k8s.io/v1", "ClusterRole",
              rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])),
        _merge(o, "more rights in its own role", f"{RBAC}/clusterroles/seatrial", {"rules": []}),
        # Namespaces
        _post(o, "namespace without Pod Security", CORE, namespace(**{"pod-security.kubernetes.io/enforce": ""})),
        _post(o, "privileged namespace", CORE, namespace(**{"pod-security.kubernetes.io/enforce": "privileged"})),
        _post(o, "namespace with an old Pod Security", CORE, namespace(**{"pod-security.kubernetes.io/enforce-version": "v1.0"})),
        _post(o, "namespace with a name of somebody else", CORE, namespace("kube-attempt")),
        _post(o, "namespace of no run", CORE, namespace(**{"seatrial.dev/run-uid": ""})),
        _post(o, "namespace of a run that can be none", CORE, namespace(**{"seatrial.dev/run-uid": "mine"})),
        _merge(o, "its own labels on a tenant's namespace", f"{CORE}/$tenant", {"metadata": {"labels": {"seatrial.dev/run-uid": "$my_uid"}}}),
        _merge(o, "no Pod Security in a run's namespace", own, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}),
        _delete(o, "deleting a tenant's namespace", f"{CORE}/$tenant"),
        _delete(o, "deleting its own namespace", f"{CORE}/$system"),
        _delete(o, "deleting the nodes' namespace", f"{CORE}/kube-node-lease"),
        # What others run
        _delete(o, "deleting a tenant's pod", f"{CORE}/$tenant/pods/bystander"),
        _delete(o, "deleting all pods of a tenant", f"{CORE}/$tenant/pods"),
        _post(o, "evicting a tenant's pod", f"{CORE}/$tenant/pods/bystander/eviction",
              {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "bystander"}}),
        _post(o, "binding a tenant's pod to a node", f"{CORE}/$tenant/pods/bystander/binding",
              thing("v1", "Binding", "bystander", target={"kind": "Node", "name": "node"})),
        Attempt(o, "a shell in a run's pod", "POST", f"{own}/pods/redis/exec", by=("RBAC",), query=(("command", "id"), ("stdout", "true"))),
        Attempt(o, "a way through the API server to a run's pod", "GET", f"{own}/pods/redis:6379/proxy/", by=("RBAC",)),
        _post(o, "a token of another service account", f"{CORE}/kube-system/serviceaccounts/default/token", token),
        _post(o, "a token of a run's service account", f"{own}/serviceaccounts/run/token", token),
        # Itself, and the cluster
        _merge(o, "another image for itself", "/apis/apps/v1/namespaces/$system/deployments/seatrial", {"metadata": {"labels": {"a": "b"}}}),
        _merge(o, "its own configuration", f"{CORE}/$system/configmaps/seatrial", {"data": {"config.yaml": ""}}),
        _merge(o, "its kinds", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/testruns.seatrial.dev", {"metadata": {"labels": {"a": "b"}}}),
        _merge(o, "a label of a node", "/api/v1/nodes/node", {"metadata": {"labels": {"a": "b"}}}),
        _post(o, "a webhook that sees all", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
              thing("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=[])),
        _post(o, "a volume of a node's files", "/api/v1/persistentvolumes", thing("v1", "PersistentVolume", spec={
              "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/"}})),
        # TestRuns and their record
        _post(o, "a TestRun", f"{OURS}/$tenant/testruns", run()),
        _delete(o, "deleting a TestRun", f"{OURS}/$tenant/testruns/mine"),
        _delete(o, "deleting a record", f"{OURS}/$tenant/testresultslices/$my_slice"),
    ]  # fmt: skip


def _allowed_but_not_such() -> list[Attempt]:
    """Here RBAC lets the operator pass, and the fence does not."""
    o = OPERATOR
    return [
        _merge(o, "another spec", f"{OURS}/$tenant/testruns/mine", {"spec": {"suspend": True}}, "fence"),
        _merge(o, "labels of a TestRun", f"{OURS}/$tenant/testruns/mine", {"metadata": {"labels": {"a": "b"}}}, "fence"),
        _post(o, "a record without a run", f"{OURS}/$tenant/testresultslices", result_slice("$my_uid", owned=False), "fence"),
        _post(o, "a record of another run", f"{OURS}/$tenant/testresultslices", result_slice("$their_uid"), "fence"),
        _post(o, "an Event about somebody's pod", "/apis/events.k8s.io/v1/namespaces/kube-system/events", event("Pod"), "fence"),
    ]  # fmt: skip


def _reads() -> list[Attempt]:
    """No policy sees a read: here the operator's own rights are all that counts."""
    o = OPERATOR
    policy = "/apis/admissionregistration.k8s.io/v1"
    return [
        _get(o, "a tenant's Secret", f"{CORE}/$tenant/secrets/api-key"),
        _get(o, "all Secrets", "/api/v1/secrets"),
        _get(o, "the Secrets of a run", f"{CORE}/$my_space/secrets"),
        _get(o, "the credentials of a run", f"{CORE}/$my_space/secrets/connection"),
        # The answer to a patch that changes nothing holds the whole object.
        _merge(o, "the credentials of a run, by a patch", f"{CORE}/$my_space/secrets/connection", {}),
        _merge(o, "a tenant's Secret, by a patch", f"{CORE}/$tenant/secrets/api-key", {}),
        Attempt(o, "a tenant's Secret, by an apply", "PATCH", f"{CORE}/$tenant/secrets/api-key",
                thing("v1", "Secret", "api-key"), APPLY, query=(("fieldManager", "seatrial"),)),
        _get(o, "all ConfigMaps of a tenant", f"{CORE}/$tenant/configmaps"),
        _get(o, "the log of somebody's pod", f"{CORE}/kube-system/pods/coredns/log"),
        _get(o, "the log of a tenant's pod", f"{CORE}/$tenant/pods/bystander/log"),
        _get(o, "the Events of a tenant", f"{CORE}/$tenant/events"),
        _get(o, "the nodes", "/api/v1/nodes"),
        _get(o, "a node's kubelet, through the API server", "/api/v1/nodes/node/proxy/pods"),
        _get(o, "who may do what", f"{RBAC}/clusterrolebindings"),
        # Policies are not subject to policies.
        _delete(o, "deleting its fence", f"{policy}/validatingadmissionpolicies/seatrial-fence"),
        _delete(o, "unbinding its fence", f"{policy}/validatingadmissionpolicybindings/seatrial-fence"),
        _merge(o, "a fence that only warns", f"{policy}/validatingadmissionpolicybindings/seatrial-fence", {"spec": {"validationActions": ["Warn"]}}),
        # Pod Security stands behind the fence.
        _post(o, "privileged pod", f"{CORE}/$my_space/pods", pod(containers=[{
            "name": "it", "image": "localhost/none:1", "securityContext": {"privileged": True}}]), "Pod Security"),
        _post(o, "pod in the node's network", f"{CORE}/$my_space/pods", pod(hostNetwork=True), "Pod Security"),
        _post(o, "pod with the node's files", f"{CORE}/$my_space/pods", pod(volumes=[
            {"name": "h", "hostPath": {"path": "/"}}]), "Pod Security", "fence"),
        _post(o, "pod as root", f"{CORE}/$my_space/pods", pod(securityContext={"runAsUser": 0}), "Pod Security"),
    ]  # fmt: skip


def _tenants() -> list[Attempt]:
    a, runs, own = "author", f"{OURS}/$tenant/testruns", f"{CORE}/$my_space"
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    passed = {"status": {"phase": "Passed", "conditions": []}}
    uid, theirs = {"seatrial.dev/run-uid": "$my_uid"}, {"seatrial.dev/run-uid": "$their_uid"}
    elsewhere = run()
    elsewhere["metadata"]["namespace"] = "$other"
    operate = {"apiGroups": ["seatrial.dev"], "resources": ["testruns"], "verbs": ["operate"]}
    ref = {"configMapRef": {"name": "quick", "namespace": "$other"}}
    secret_of_others = {
        "name": "K",
        "valueFrom": {"secretKeyRef": {"name": "api-key", "key": "key", "namespace": "$other"}},
    }

    def suite(**more: Any) -> list[Object]:
        return [{"name": "it", **more}]

    return [
        # The verdict
        _merge(a, "its status by hand", f"{runs}/mine/status", passed),
        _merge("owner", "its status by hand, with every right to the group", f"{runs}/held/status", passed, "reserved"),
        Attempt("owner", "its status by an apply", "PATCH", f"{runs}/held/status", {
            "apiVersion": "seatrial.dev/v1alpha1", "kind": "TestRun", "metadata": {"name": "held"}, "status": {"phase": "Passed"}},
            APPLY, ("reserved",), (("fieldManager", "me"), ("force", "true"))),
        _post(a, "a record of its own", f"{OURS}/$tenant/testresultslices", result_slice("$my_uid")),
        _post("owner", "a record of its own, with every right", f"{OURS}/$tenant/testresultslices", result_slice("$my_uid"), "reserved"),
        _merge("owner", "a changed record", f"{OURS}/$tenant/testresultslices/$my_slice", {"spec": {"podUid": "y"}}, "reserved"),
        _merge("owner", "a record for another run", f"{OURS}/$tenant/testresultslices/$my_slice", {"metadata": {"labels": theirs}}, "reserved"),
        _merge(a, "another spec after the start", f"{runs}/mine", {"spec": {"parallelism": 7}}, "schema"),
        _merge(a, "another suite after the start", f"{runs}/mine", {"spec": {"suites": [{"name": "other"}]}}, "schema"),
        # Other tenants
        _post(a, "a TestRun in another namespace", f"{OURS}/$other/testruns", run()),
        Attempt(a, "a TestRun that names another namespace", "POST", runs, elsewhere, by=("schema",)),
        _post(a, "tests of another namespace", runs, run(suites=suite(testsFrom=ref)), "schema", strict=True),
        _post(a, "a Secret of another namespace", runs, run(suites=suite(env=[secret_of_others])), "schema", strict=True),
        _get(a, "another tenant's TestRun", f"{OURS}/$other/testruns/theirs"),
        _get(a, "another tenant's record", f"{OURS}/$other/testresultslices"),
        _get(a, "all TestRuns", "/apis/seatrial.dev/v1alpha1/testruns"),
        _merge(a, "cancelling another tenant's run", f"{OURS}/$other/testruns/theirs", {"spec": {"cancel": True}}),
        _delete(a, "deleting another tenant's run", f"{OURS}/$other/testruns/theirs"),
        # Environments
        _get(a, "the pods of its own run", f"{own}/pods"),
        _get(a, "the credentials of its own run", f"{own}/secrets/connection"),
        _get(a, "the credentials of another run", f"{CORE}/$their_space/secrets/connection"),
        _get(a, "the log of another run", f"{CORE}/$their_space/pods/redis/log"),
        Attempt(a, "a shell in its own run", "POST", f"{own}/pods/redis/exec", query=(("command", "id"),)),
        Attempt(a, "a shell in another run", "POST", f"{CORE}/$their_space/pods/redis/exec", query=(("command", "id"),)),
        _post(a, "a pod in a run's namespace", f"{CORE}/$their_space/pods", pod(theirs)),
        _delete(a, "deleting a pod of another run", f"{CORE}/$their_space/pods/redis"),
        _delete(a, "deleting another run's namespace", f"{CORE}/$their_space"),
        _delete(a, "deleting another run's network policies", "/apis/networking.k8s.io/v1/namespaces/$their_space/networkpolicies"),
        _post("owner", "the operator's role in its own namespace", f"{RBAC}/namespaces/$tenant/rolebindings", binding("seatrial-run", name="mine")),
        _post("owner", "the operator's role in another run's namespace", f"{RBAC}/namespaces/$their_space/rolebindings", binding("seatrial-run")),
        _post("owner", "the right to operate, everywhere", f"{RBAC}/clusterroles", thing("rbac.authorization.k8s.io/v1", "ClusterRole", rules=[operate])),
        # Claims
        _post(a, "a pod with the label of another run", f"{CORE}/$tenant/pods", pod(theirs, serviceAccountName="default"), "reserved"),
        _post(a, "a pod with the label of its own run", f"{CORE}/$tenant/pods", pod(uid, serviceAccountName="default"), "reserved"),
        _merge(a, "the label of another run on a pod of its own", f"{CORE}/$tenant/pods/bystander", {"metadata": {"labels": theirs}}, "reserved"),
        _post(a, "a Job with the label of another run", "/apis/batch/v1/namespaces/$tenant/jobs", job(theirs), "reserved"),
        _post("maker", "a namespace that another run is about to need", CORE, namespace("seatrial-theirs-0123456789", **theirs), "reserved"),
        _post("maker", "a namespace of a run without Pod Security", CORE, namespace(**{"pod-security.kubernetes.io/enforce": ""}), "reserved"),
        _merge("maker", "its own namespace as that of another run", f"{CORE}/$tenant", {"metadata": {"labels": theirs}}, "reserved"),
        _merge("maker", "another run's namespace as that of its own", f"{CORE}/$their_space", {"metadata": {"labels": uid}}, "reserved"),
        _merge("maker", "no Pod Security in another run's namespace", f"{CORE}/$their_space",
               {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}, "reserved"),
        _merge("maker", "no label in another run's namespace", f"{CORE}/$their_space", {"metadata": {"labels": {"seatrial.dev/run-uid": None}}}, "reserved"),
        # More than a restricted pod
        _post(a, "root", runs, run(suites=suite(runAsUser=0)), "schema"),
        _post(a, "an image for a service", runs, run(services={"redis": {"image": "mine"}}), "schema", strict=True),
        _post(a, "the node's files", runs, run(suites=suite(volumes=[{"hostPath": {"path": "/"}}])), "schema", strict=True),
        _post(a, "the node's network", runs, run(suites=suite(hostNetwork=True)), "schema", strict=True),
        _post(a, "a service account", runs, run(suites=suite(serviceAccountName="seatrial")), "schema", strict=True),
        _post(a, "a security context", runs, run(suites=suite(securityContext={"privileged": True})), "schema", strict=True),
        _post(a, "a part of a pod's spec", runs, run(suites=suite(podTemplate={"spec": pod_spec()})), "schema", strict=True),
        # The operator
        _post(a, "a token of the operator", f"{CORE}/$system/serviceaccounts/seatrial/token", token),
        _post(a, "a pod beside the operator", f"{CORE}/$system/pods", pod({}, serviceAccountName="seatrial")),
        _get(a, "the operator's configuration", f"{CORE}/$system/configmaps/seatrial"),
        _merge(a, "what the operator has found out", f"{CORE}/$system/configmaps/seatrial-status", {"data": {}}),
        _delete(a, "deleting the operator", "/apis/apps/v1/namespaces/$system/deployments/seatrial"),
        _delete(a, "deleting the fence", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/seatrial-fence"),
    ]  # fmt: skip


def _borrowed_rights() -> list[Attempt]:
    """By way of the operator: Secrets and ConfigMaps that it may read, and whoever asks for the run may not."""
    runs = f"{OURS}/$tenant/testruns"
    c = "caller"

    def suite(*env: Object, **more: Any) -> list[Object]:
        return [{"name": "it", "env": list(env), **more}]

    key, setting = variable("Secret", "api-key"), variable("ConfigMap", "quick")
    application = {"name": "app", "image": "localhost/none:1", "ports": [], "env": [key]}
    init = {"postgres": {"initSQL": {"configMapRef": {"name": "quick"}}}}
    first_seventeen = [variable("Secret", f"s{number}", number) for number in range(17)]
    return [
        _post(c, "a Secret in a suite", runs, run(suites=suite(key)), "secrets"),
        _post(c, "a Secret in an application", runs, run(applications=[application]), "secrets"),
        _post(c, "a Secret in the last of many suites", runs, run(suites=[
            *({"name": f"s{number}"} for number in range(20)), {"name": "last", "env": [key]}]), "secrets"),
        _post(c, "a Secret that is not there", runs, run(suites=suite(variable("Secret", "none"))), "secrets"),
        _post(c, "more Secrets than can be asked for", runs, run(suites=suite(*first_seventeen)), "secrets"),
        _post("named", "another Secret than its own", runs, run(suites=suite(variable("Secret", "other-key"))), "secrets"),
        _post("named", "another Secret behind its own", runs, run(suites=suite(key, variable("Secret", "other-key", 1))), "secrets"),
        _post("named", "sixteen Secrets, its own among them", runs, run(suites=suite(
            *(variable("Secret", f"s{number}" if number else "api-key", number) for number in range(16)))), "secrets"),
        _post(c, "a ConfigMap in a suite", runs, run(suites=suite(setting)), "configmaps"),
        _post(c, "tests from a ConfigMap", runs, run(suites=suite(testsFrom={"configMapRef": {"name": "quick"}})), "configmaps"),
        _post(c, "SQL from a ConfigMap", runs, run(services=init), "configmaps"),
        _merge(c, "another command for a run that names a Secret", f"{runs}/held", {"spec": {"suites": suite(key, timeout="1m")}}, "secrets"),
        _merge(c, "a Secret for a run that names none", f"{runs}/plain", {"spec": {"suites": suite(key)}}, "secrets"),
        _merge(c, "an application beside a run that names a Secret", f"{runs}/held", {"spec": {"applications": [application]}}, "secrets"),
    ]  # fmt: skip


def _mighty(attempt: Attempt) -> Attempt:
    """The same with every right: nothing but the fence is left."""
    return replace(attempt, who=MIGHTY, by=("fence",))


WRITES = _writes()
ATTEMPTS: tuple[Attempt, ...] = (
    *(replace(attempt, by=("RBAC", "fence")) for attempt in WRITES),
    *map(_mighty, (*WRITES, *_allowed_but_not_such())),
    *_allowed_but_not_such(),
    *_reads(),
    *_tenants(),
    *_borrowed_rights(),
)
