"""The cluster for real, and the only package that speaks to Kubernetes."""

from seatrial.kube.cluster import KubernetesCluster

__all__ = ["KubernetesCluster"]
