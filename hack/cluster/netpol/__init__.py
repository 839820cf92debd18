"""networking.k8s.io/v1 NetworkPolicy for one node and IPv4, with iptables and ipset.

Test equipment for a machine without Docker: the known enforcers are not available as Go modules, or need a kernel
feature that small kernels lack. On kind, kindnet enforces the policies itself.
"""
