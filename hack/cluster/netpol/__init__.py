"""networking.k8s.io/v1 NetworkPolicy for one node and IPv4, with iptables and ipset.

Test equipment for a machine without Docker: the usual enforcers hand packets to a program through nftables queues,
which small kernels lack. On kind, kindnet enforces the policies itself.
"""
