"""A stand-in for the kubelet: all else of the cluster is real, and pods only say what they are told to."""

from hack.kubelet.pods import Pod
from hack.kubelet.script import Script
from hack.kubelet.standin import StandIn

__all__ = ["Pod", "Script", "StandIn"]
