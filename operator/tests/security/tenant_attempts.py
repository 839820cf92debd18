"""What tenants must not do."""
# ruff: noqa: E501 - a row of the table is a line

from __future__ import annotations

from typing import Any

from .actors import APPLY
from .attempt import CORE, OURS, RBAC, Attempt, delete, get, merge, post
from .bodies import binding, job, namespace, pod, pod_spec, result_slice, run, thing, variable

Object = dict[str, Any]


def tenants() -> list[Attempt]:
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
        merge(a, "its status by hand", f"{runs}/mine/status", passed),
        merge("owner", "its status by hand, with every right to the group", f"{runs}/held/status", passed, "reserved"),
        Attempt("owner", "its status by an apply", "PATCH", f"{runs}/held/status", {
            "apiVersion": "seatrial.dev/v1alpha1", "kind": "TestRun", "metadata": {"name": "held"}, "status": {"phase": "Passed"}},
            APPLY, ("reserved",), (("fieldManager", "me"), ("force", "true"))),
        post(a, "a record of its own", f"{OURS}/$tenant/testresultslices", result_slice("$my_uid")),
        post("owner", "a record of its own, with every right", f"{OURS}/$tenant/testresultslices", result_slice("$my_uid"), "reserved"),
        merge("owner", "a changed record", f"{OURS}/$tenant/testresultslices/$my_slice", {"spec": {"podUid": "y"}}, "reserved"),
        merge("owner", "a record for another run", f"{OURS}/$tenant/testresultslices/$my_slice", {"metadata": {"labels": theirs}}, "reserved"),
        merge(a, "another spec after the start", f"{runs}/mine", {"spec": {"parallelism": 7}}, "schema"),
        merge(a, "another suite after the start", f"{runs}/mine", {"spec": {"suites": [{"name": "other"}]}}, "schema"),
        # Other tenants
        post(a, "a TestRun in another namespace", f"{OURS}/$other/testruns", run()),
        Attempt(a, "a TestRun that names another namespace", "POST", runs, elsewhere, by=("schema",)),
        post(a, "tests of another namespace", runs, run(suites=suite(testsFrom=ref)), "schema", strict=True),
        post(a, "a Secret of another namespace", runs, run(suites=suite(env=[secret_of_others])), "schema", strict=True),
        get(a, "another tenant's TestRun", f"{OURS}/$other/testruns/theirs"),
        get(a, "another tenant's record", f"{OURS}/$other/testresultslices"),
        get(a, "all TestRuns", "/apis/seatrial.dev/v1alpha1/testruns"),
        merge(a, "cancelling another tenant's run", f"{OURS}/$other/testruns/theirs", {"spec": {"cancel": True}}),
        delete(a, "deleting another tenant's run", f"{OURS}/$other/testruns/theirs"),
        # Environments
        get(a, "the pods of its own run", f"{own}/pods"),
        get(a, "the credentials of its own run", f"{own}/secrets/connection"),
        get(a, "the credentials of another run", f"{CORE}/$their_space/secrets/connection"),
        get(a, "the log of another run", f"{CORE}/$their_space/pods/redis/log"),
        Attempt(a, "a shell in its own run", "POST", f"{own}/pods/redis/exec", query=(("command", "id"),)),
        Attempt(a, "a shell in another run", "POST", f"{CORE}/$their_space/pods/redis/exec", query=(("command", "id"),)),
        post(a, "a pod in a run's namespace", f"{CORE}/$their_space/pods", pod(theirs)),
        delete(a, "deleting a pod of another run", f"{CORE}/$their_space/pods/redis"),
        delete(a, "deleting another run's namespace", f"{CORE}/$their_space"),
        delete(a, "deleting another run's network policies", "/apis/networking.k8s.io/v1/namespaces/$their_space/networkpolicies"),
        post("owner", "the operator's role in its own namespace", f"{RBAC}/namespaces/$tenant/rolebindings", binding("seatrial-run", name="mine")),
        post("owner", "the operator's role in another run's namespace", f"{RBAC}/namespaces/$their_space/rolebindings", binding("seatrial-run")),
        post("owner", "the right to operate, everywhere", f"{RBAC}/clusterroles", thing("rbac.authorization.k8s.io/v1", "ClusterRole", rules=[operate])),
        # Claims
        post(a, "a pod with the label of another run", f"{CORE}/$tenant/pods", pod(theirs, serviceAccountName="default"), "reserved"),
        post(a, "a pod with the label of its own run", f"{CORE}/$tenant/pods", pod(uid, serviceAccountName="default"), "reserved"),
        merge(a, "the label of another run on a pod of its own", f"{CORE}/$tenant/pods/bystander", {"metadata": {"labels": theirs}}, "reserved"),
        post(a, "a Job with the label of another run", "/apis/batch/v1/namespaces/$tenant/jobs", job(theirs), "reserved"),
        post("maker", "a namespace that another run is about to need", CORE, namespace("seatrial-theirs-0123456789", **theirs), "reserved"),
        post("maker", "a namespace of a run without Pod Security", CORE, namespace(**{"pod-security.kubernetes.io/enforce": ""}), "reserved"),
        merge("maker", "its own namespace as that of another run", f"{CORE}/$tenant", {"metadata": {"labels": theirs}}, "reserved"),
        merge("maker", "another run's namespace as that of its own", f"{CORE}/$their_space", {"metadata": {"labels": uid}}, "reserved"),
        merge("maker", "no Pod Security in another run's namespace", f"{CORE}/$their_space",
               {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}, "reserved"),
        merge("maker", "no label in another run's namespace", f"{CORE}/$their_space", {"metadata": {"labels": {"seatrial.dev/run-uid": None}}}, "reserved"),
        # The same by way of a part of the object
        merge("maker", "another run's namespace as that of its own, by its status", f"{CORE}/$their_space/status", {"metadata": {"labels": uid}}, "reserved"),
        merge("maker", "its own namespace as that of another run, by its status", f"{CORE}/$tenant/status", {"metadata": {"labels": theirs}}, "reserved"),
        merge("maker", "no Pod Security in another run's namespace, by its status", f"{CORE}/$their_space/status", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}, "reserved"),
        Attempt("maker", "its own namespace as that of another run, by its end", "PUT", f"{CORE}/$tenant/finalize",
                thing("v1", "Namespace", "$tenant", theirs, spec={"finalizers": ["kubernetes"]}), by=("reserved",)),
        merge("maker", "the label of another run on a pod, by its status", f"{CORE}/$tenant/pods/bystander/status", {"metadata": {"labels": theirs}}, "reserved"),
        merge("maker", "the label of another run on a Job, by its status", "/apis/batch/v1/namespaces/$tenant/jobs/idle/status", {"metadata": {"labels": theirs}}, "reserved"),
        post("maker", "the label of another run on a pod, by binding it", f"{CORE}/$tenant/pods/bystander/binding",
             thing("v1", "Binding", "bystander", theirs, target={"kind": "Node", "name": "nowhere"}), "reserved"),
        post("maker", "the label of another run on a pod, by binding it the old way", f"{CORE}/$tenant/bindings",
             thing("v1", "Binding", "bystander", theirs, target={"kind": "Node", "name": "nowhere"}), "reserved"),
        # More than a restricted pod
        post(a, "root", runs, run(suites=suite(runAsUser=0)), "schema"),
        post(a, "an image for a service", runs, run(services={"redis": {"image": "mine"}}), "schema", strict=True),
        post(a, "the node's files", runs, run(suites=suite(volumes=[{"hostPath": {"path": "/"}}])), "schema", strict=True),
        post(a, "the node's network", runs, run(suites=suite(hostNetwork=True)), "schema", strict=True),
        post(a, "a service account", runs, run(suites=suite(serviceAccountName="seatrial")), "schema", strict=True),
        post(a, "a security context", runs, run(suites=suite(securityContext={"privileged": True})), "schema", strict=True),
        post(a, "a part of a pod's spec", runs, run(suites=suite(podTemplate={"spec": pod_spec()})), "schema", strict=True),
        # The operator
        post(a, "a token of the operator", f"{CORE}/$system/serviceaccounts/seatrial/token", token),
        post(a, "a pod beside the operator", f"{CORE}/$system/pods", pod({}, serviceAccountName="seatrial")),
        get(a, "the operator's configuration", f"{CORE}/$system/configmaps/seatrial"),
        merge(a, "what the operator has found out", f"{CORE}/$system/configmaps/seatrial-status", {"data": {}}),
        delete(a, "deleting the operator", "/apis/apps/v1/namespaces/$system/deployments/seatrial"),
        delete(a, "deleting the fence", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/seatrial-fence"),
    ]  # fmt: skip


def borrowed_rights() -> list[Attempt]:
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
        post(c, "a Secret in a suite", runs, run(suites=suite(key)), "secrets"),
        post(c, "a Secret in an application", runs, run(applications=[application]), "secrets"),
        post(c, "a Secret in the last of many suites", runs, run(suites=[
            *({"name": f"s{number}"} for number in range(20)), {"name": "last", "env": [key]}]), "secrets"),
        post(c, "a Secret that is not there", runs, run(suites=suite(variable("Secret", "none"))), "secrets"),
        post(c, "more Secrets than can be asked for", runs, run(suites=suite(*first_seventeen)), "secrets"),
        post("named", "another Secret than its own", runs, run(suites=suite(variable("Secret", "other-key"))), "secrets"),
        post("named", "another Secret behind its own", runs, run(suites=suite(key, variable("Secret", "other-key", 1))), "secrets"),
        post("named", "sixteen Secrets, its own among them", runs, run(suites=suite(
            *(variable("Secret", f"s{number}" if number else "api-key", number) for number in range(16)))), "secrets"),
        post(c, "a ConfigMap in a suite", runs, run(suites=suite(setting)), "configmaps"),
        post(c, "tests from a ConfigMap", runs, run(suites=suite(testsFrom={"configMapRef": {"name": "quick"}})), "configmaps"),
        post(c, "SQL from a ConfigMap", runs, run(services=init), "configmaps"),
        merge(c, "another command for a run that names a Secret", f"{runs}/held", {"spec": {"suites": suite(key, timeout="1m")}}, "secrets"),
        merge(c, "a Secret for a run that names none", f"{runs}/plain", {"spec": {"suites": suite(key)}}, "secrets"),
        merge(c, "an application beside a run that names a Secret", f"{runs}/held", {"spec": {"applications": [application]}}, "secrets"),
    ]  # fmt: skip
