"""The figures as a table for people."""

from __future__ import annotations

from typing import Any

COLUMNS = (
    "case",
    "runs",
    "active at most",
    "passed",
    "runs/min",
    "runs/min, middle",
    "runs/min with clean-up",
    "start to verdict (median, p95), s",
    "operator CPU, s/run",
    "operator MiB at most",
    "operator writes/run",
    "all writes/run",
    "API server + etcd CPU, s/run",
    "controllers CPU, s/run",
    "namespaces terminating at most",
    "left",
)
READS = ("GET", "HEAD")


def markdown(document: dict[str, Any]) -> str:
    """The whole result."""
    machine = document["machine"]
    lines = [
        f"# Scale, {document['date']}",
        "",
        (
            f"{machine['processors']} cores ({machine['processor']}), {machine['memory GiB']} GiB, "
            f"Linux {machine['kernel']}, Kubernetes {machine['kubernetes']}, Python {machine['python']}, "
            f"Seatrial {machine['seatrial']}; shared by control plane, operator, driver and the nodes that are played."
        ),
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
        *("| " + " | ".join(_row(case)) + " |" for case in document["cases"]),
    ]
    for case in document["cases"]:
        lines += ["", f"## {case['case']['name']}", "", *_details(case)]
    return "\n".join(lines) + "\n"


def _row(case: dict[str, Any]) -> list[str]:
    runs, cpu, rss = case["runs"], case["cpu_seconds"]["at_end"], case["rss_most"]
    operators = [name for name in cpu if name.startswith("operator")]
    middle, active = case["finished_per_minute_middle"], case["active_seconds"]
    return [
        case["case"]["name"],
        str(runs),
        str(case["case"]["max_active"]) + (f" x {len(operators)}" if len(operators) > 1 else ""),
        str(case["passed"]),
        f"{case['finished_per_minute']:.0f}",
        f"{middle:.0f}" if middle else "",
        f"{runs / case['all_cleaned_seconds'] * 60:.0f}",
        f"{active['median']:.2f}, {active['p95']:.2f}",
        f"{sum(cpu[name] for name in operators) / runs:.3f}",
        " + ".join(str(rss[name]) for name in operators),
        f"{sum(count for key, count in case['operator_requests'].items() if not key.startswith(READS)) / runs:.1f}",
        f"{sum(case['api_server_writes'].values()) / runs:.0f}",
        f"{(cpu.get('kube-apiserver', 0) + cpu.get('etcd', 0)) / runs:.3f}",
        f"{(cpu.get('kube-controller-manager', 0) + cpu.get('kube-scheduler', 0)) / runs:.3f}",
        str(case["most_terminating"]),
        str(len(case["left"])),
    ]


def _details(case: dict[str, Any]) -> list[str]:
    runs, seconds = case["runs"], case["all_cleaned_seconds"]
    shares = ", ".join(f"{name} {used / seconds:.2f}" for name, used in case["cpu_seconds"]["at_end"].items())
    memory = [
        f"{sample['seconds']:.0f} s: {sum(mib for name, mib in sample['rss'].items() if name.startswith('operator'))}"
        for sample in case["samples"][:: max(1, len(case["samples"]) // 8)]
    ]
    ends = ", ".join(f"{word} {at:.1f} s" for word, at in case["last_finished_by_namespace"].items())
    return [
        (
            f"Applied in {case['apply_seconds']:.1f} s, all verdicts after {case['all_finished_seconds']:.1f} s, all "
            f"cleaned up after {seconds:.1f} s. Load average before: {case['load_before']:.1f}."
        ),
        *([f"Not passed: {'; '.join(case['others'])}"] if case["others"] else []),
        f"Last verdict by namespace: {ends}.",
        f"Cores used: {shares}.",
        f"Operator memory, MiB: {'; '.join(memory)}.",
        f"Passes of the operator: {case['operator_passes'] / runs:.1f} per run.",
        "Operator's requests per run: " + _per_run(case["operator_requests"], runs) + ".",
        "All writes per run: " + _per_run(case["api_server_writes"], runs) + ".",
    ]


def _per_run(counts: dict[str, float], runs: int) -> str:
    most = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{key} {count / runs:.1f}" for key, count in most if count / runs >= 0.05)  # noqa: PLR2004
