"""What the operator's identity must not do."""
# ruff: noqa: E501 - a row of the table is a line

from __future__ import annotations

from typing import Any

from .actors import APPLY
from .attempt import CORE, OPERATOR, OURS, RBAC, Attempt, delete, get, merge, post
from .bodies import (
    CONTAINER,
    RUN,
    binding,
    controller,
    cron_job,
    deployment,
    event,
    job,
    namespace,
    pod,
    result_slice,
    run,
    thing,
)

Object = dict[str, Any]


def writes() -> list[Attempt]:
    """What the operator's identity must not write, whatever it is granted: each is tried with its own rights too."""
    o, own = OPERATOR, f"{CORE}/$my_space"
    author = {"kind": "ServiceAccount", "name": "author", "namespace": "$tenant"}
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    labelled = thing("authentication.k8s.io/v1", "TokenRequest", "run", {"seatrial.dev/run-uid": "$my_uid"}, spec={})
    apps = "/apis/apps/v1/namespaces/$my_space"
    ephemeral = {"metadata": {"labels": RUN}, "spec": {"ephemeralContainers": [{**CONTAINER, "name": "shell"}]}}
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
        post(o, "pod in kube-system", f"{CORE}/kube-system/pods", pod(serviceAccountName="default")),
        post(o, "pod in a tenant's namespace", f"{CORE}/$tenant/pods", pod(serviceAccountName="default")),
        post(o, "pod beside itself", f"{CORE}/$system/pods", pod(serviceAccountName="seatrial")),
        post(o, "Job in a tenant's namespace", "/apis/batch/v1/namespaces/$tenant/jobs", job(uid)),
        post(o, "Deployment in kube-system", "/apis/apps/v1/namespaces/kube-system/deployments", deployment()),
        post(o, "Secret in kube-system", f"{CORE}/kube-system/secrets", thing("v1", "Secret", labels=uid)),
        post(o, "ConfigMap in kube-system", f"{CORE}/kube-system/configmaps", thing("v1", "ConfigMap", labels=uid)),
        post(o, "Service in a tenant's namespace", f"{CORE}/$tenant/services", headed),
        post(o, "service account in kube-system", f"{CORE}/kube-system/serviceaccounts", thing("v1", "ServiceAccount", labels=uid)),
        post(o, "NetworkPolicy that opens a tenant's namespace", "/apis/networking.k8s.io/v1/namespaces/$tenant/networkpolicies",
              thing("networking.k8s.io/v1", "NetworkPolicy", labels=uid, spec=opening)),
        # Inside of a run's namespace it may create these, but not such ones.
        post(o, "token of a service account as a Secret", f"{own}/secrets", sa_secret),
        post(o, "Service that takes the API server's address", f"{own}/services", headed),
        post(o, "pod with a token", f"{own}/pods", pod(automountServiceAccountToken=True)),
        post(o, "pod with another service account", f"{own}/pods", pod(serviceAccountName="default")),
        post(o, "pod with a projected token", f"{own}/pods", pod(volumes=[mounted])),
        post(o, "pod with the label of another run", f"{own}/pods", pod({"seatrial.dev/run-uid": "$their_uid"})),
        post(o, "pod without the label of the run", f"{own}/pods", pod({})),
        post(o, "Secret with the label of another run", f"{own}/secrets",
              thing("v1", "Secret", labels={"seatrial.dev/run-uid": "$their_uid"})),
        # Roles
        post(o, "cluster-admin for itself", f"{RBAC}/clusterrolebindings", binding("cluster-admin", kind="ClusterRoleBinding")),
        post(o, "cluster-admin for itself in a run's namespace", f"{RBAC}/namespaces/$my_space/rolebindings",
              binding("cluster-admin")),
        post(o, "its role in kube-system", f"{RBAC}/namespaces/kube-system/rolebindings", binding("seatrial-run")),
        post(o, "its role in a tenant's namespace", f"{RBAC}/namespaces/$tenant/rolebindings", binding("seatrial-run")),
        post(o, "its role for a tenant", f"{RBAC}/namespaces/$my_space/rolebindings", binding("seatrial-run", who=author)),
        post(o, "its role under another name", f"{RBAC}/namespaces/$my_space/rolebindings", binding("seatrial-run", name="more")),
        post(o, "reading a tenant's Secrets", f"{RBAC}/namespaces/$tenant/rolebindings", binding("seatrial-read-secrets")),
        post(o, "a role with every right", f"{RBAC}/clusterroles", thing("rbac.authorization.k8s.io/v1", "ClusterRole",
              rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])),
        merge(o, "more rights in its own role", f"{RBAC}/clusterroles/seatrial", {"rules": []}),
        # Namespaces
        post(o, "namespace without Pod Security", CORE, namespace(**{"pod-security.kubernetes.io/enforce": ""})),
        post(o, "privileged namespace", CORE, namespace(**{"pod-security.kubernetes.io/enforce": "privileged"})),
        post(o, "namespace with an old Pod Security", CORE, namespace(**{"pod-security.kubernetes.io/enforce-version": "v1.0"})),
        post(o, "namespace with a name of somebody else", CORE, namespace("kube-attempt")),
        post(o, "namespace of no run", CORE, namespace(**{"seatrial.dev/run-uid": ""})),
        post(o, "namespace of a run that can be none", CORE, namespace(**{"seatrial.dev/run-uid": "mine"})),
        merge(o, "its own labels on a tenant's namespace", f"{CORE}/$tenant", {"metadata": {"labels": {"seatrial.dev/run-uid": "$my_uid"}}}),
        merge(o, "no Pod Security in a run's namespace", own, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}),
        delete(o, "deleting a tenant's namespace", f"{CORE}/$tenant"),
        delete(o, "deleting its own namespace", f"{CORE}/$system"),
        delete(o, "deleting the nodes' namespace", f"{CORE}/kube-node-lease"),
        # What others run
        delete(o, "deleting a tenant's pod", f"{CORE}/$tenant/pods/bystander"),
        delete(o, "deleting all pods of a tenant", f"{CORE}/$tenant/pods"),
        post(o, "evicting a tenant's pod", f"{CORE}/$tenant/pods/bystander/eviction",
              {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "bystander"}}),
        post(o, "binding a tenant's pod to a node", f"{CORE}/$tenant/pods/bystander/binding",
              thing("v1", "Binding", "bystander", target={"kind": "Node", "name": "node"})),
        Attempt(o, "a shell in a run's pod", "POST", f"{own}/pods/redis/exec", by=("RBAC",), query=(("command", "id"), ("stdout", "true"))),
        Attempt(o, "a way through the API server to a run's pod", "GET", f"{own}/pods/redis:6379/proxy/", by=("RBAC",)),
        post(o, "a token of another service account", f"{CORE}/kube-system/serviceaccounts/default/token", token),
        post(o, "a token of a run's service account", f"{own}/serviceaccounts/run/token", token),
        post(o, "a token of a run's service account, with the label of the run", f"{own}/serviceaccounts/run/token", labelled),
        # What no run consists of
        post(o, "Lease in kube-system", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", thing("coordination.k8s.io/v1", "Lease", spec={})),
        post(o, "Lease in a run's namespace", "/apis/coordination.k8s.io/v1/namespaces/$my_space/leases", thing("coordination.k8s.io/v1", "Lease", labels=RUN, spec={})),
        *(post(o, f"{kind} in a run's namespace", f"{apps}/{kind.lower()}s", controller(kind)) for kind in ("StatefulSet", "DaemonSet", "ReplicaSet")),
        post(o, "CronJob in a run's namespace", "/apis/batch/v1/namespaces/$my_space/cronjobs", cron_job()),
        merge(o, "an ephemeral container in a run's pod", f"{own}/pods/redis/ephemeralcontainers", ephemeral),
        # Itself, and the cluster
        merge(o, "another image for itself", "/apis/apps/v1/namespaces/$system/deployments/seatrial", {"metadata": {"labels": {"a": "b"}}}),
        merge(o, "its own configuration", f"{CORE}/$system/configmaps/seatrial", {"data": {"config.yaml": ""}}),
        merge(o, "its kinds", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/testruns.seatrial.dev", {"metadata": {"labels": {"a": "b"}}}),
        merge(o, "a label of a node", "/api/v1/nodes/node", {"metadata": {"labels": {"a": "b"}}}),
        post(o, "a webhook that sees all", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
              thing("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=[])),
        post(o, "a volume of a node's files", "/api/v1/persistentvolumes", thing("v1", "PersistentVolume", spec={
              "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/"}})),
        # TestRuns and their record
        post(o, "a TestRun", f"{OURS}/$tenant/testruns", run()),
        delete(o, "deleting a TestRun", f"{OURS}/$tenant/testruns/mine"),
        delete(o, "deleting a record", f"{OURS}/$tenant/testresultslices/$my_slice"),
    ]  # fmt: skip


def allowed_but_not_such() -> list[Attempt]:
    """Here RBAC lets the operator pass, and the fence does not."""
    o = OPERATOR
    return [
        merge(o, "another spec", f"{OURS}/$tenant/testruns/mine", {"spec": {"suspend": True}}, "fence"),
        merge(o, "labels of a TestRun", f"{OURS}/$tenant/testruns/mine", {"metadata": {"labels": {"a": "b"}}}, "fence"),
        post(o, "a record without a run", f"{OURS}/$tenant/testresultslices", result_slice("$my_uid", owned=False), "fence"),
        post(o, "a record of another run", f"{OURS}/$tenant/testresultslices", result_slice("$their_uid"), "fence"),
        post(o, "an Event about somebody's pod", "/apis/events.k8s.io/v1/namespaces/kube-system/events", event("Pod"), "fence"),
    ]  # fmt: skip


def reads() -> list[Attempt]:
    """No policy sees a read: here the operator's own rights are all that counts."""
    o = OPERATOR
    policy = "/apis/admissionregistration.k8s.io/v1"
    return [
        get(o, "a tenant's Secret", f"{CORE}/$tenant/secrets/api-key"),
        get(o, "all Secrets", "/api/v1/secrets"),
        get(o, "the Secrets of a run", f"{CORE}/$my_space/secrets"),
        get(o, "the credentials of a run", f"{CORE}/$my_space/secrets/connection"),
        # The answer to a patch that changes nothing holds the whole object.
        merge(o, "the credentials of a run, by a patch", f"{CORE}/$my_space/secrets/connection", {}),
        merge(o, "a tenant's Secret, by a patch", f"{CORE}/$tenant/secrets/api-key", {}),
        Attempt(o, "a tenant's Secret, by an apply", "PATCH", f"{CORE}/$tenant/secrets/api-key",
                thing("v1", "Secret", "api-key"), APPLY, query=(("fieldManager", "seatrial"),)),
        get(o, "all ConfigMaps of a tenant", f"{CORE}/$tenant/configmaps"),
        get(o, "the log of somebody's pod", f"{CORE}/kube-system/pods/coredns/log"),
        get(o, "the log of a tenant's pod", f"{CORE}/$tenant/pods/bystander/log"),
        get(o, "the Events of a tenant", f"{CORE}/$tenant/events"),
        get(o, "the nodes", "/api/v1/nodes"),
        get(o, "a node's kubelet, through the API server", "/api/v1/nodes/node/proxy/pods"),
        get(o, "who may do what", f"{RBAC}/clusterrolebindings"),
        # Policies are not subject to policies.
        delete(o, "deleting its fence", f"{policy}/validatingadmissionpolicies/seatrial-fence"),
        delete(o, "unbinding its fence", f"{policy}/validatingadmissionpolicybindings/seatrial-fence"),
        merge(o, "a fence that only warns", f"{policy}/validatingadmissionpolicybindings/seatrial-fence", {"spec": {"validationActions": ["Warn"]}}),
        # Pod Security stands behind the fence.
        post(o, "privileged pod", f"{CORE}/$my_space/pods", pod(containers=[{
            "name": "it", "image": "localhost/none:1", "securityContext": {"privileged": True}}]), "Pod Security"),
        post(o, "pod in the node's network", f"{CORE}/$my_space/pods", pod(hostNetwork=True), "Pod Security"),
        post(o, "pod with the node's files", f"{CORE}/$my_space/pods", pod(volumes=[
            {"name": "h", "hostPath": {"path": "/"}}]), "Pod Security", "fence"),
        post(o, "pod as root", f"{CORE}/$my_space/pods", pod(securityContext={"runAsUser": 0}), "Pod Security"),
    ]  # fmt: skip
