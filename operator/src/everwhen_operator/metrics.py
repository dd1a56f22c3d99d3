"""What the operator counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST


class Metrics:
    """In a registry of its own, so that several may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.actions = Counter(
            "everwhen_operator_actions",
            "Actions by kind and outcome.",
            ["action", "outcome"],
            registry=self.registry,
        )
        self.reconciles = Histogram(
            "everwhen_operator_reconcile_seconds",
            "Time of one look at a cluster and one action.",
            registry=self.registry,
        )
        self.writes = Counter(
            "everwhen_operator_status_writes", "Status updates.", registry=self.registry
        )
        self.failures = Counter(
            "everwhen_operator_failures",
            "Looks or actions that failed, by who failed them.",
            ["source"],
            registry=self.registry,
        )
        self.clusters = Gauge(
            "everwhen_operator_clusters", "Clusters looked after.", registry=self.registry
        )
        self.ready = Gauge(
            "everwhen_operator_cluster_ready",
            "Whether a cluster's Ready condition is true.",
            ["namespace", "name"],
            registry=self.registry,
        )
        self.leading = Gauge(
            "everwhen_operator_leading",
            "Whether this process holds the lease.",
            registry=self.registry,
        )
        self.epoch = Gauge(
            "everwhen_operator_epoch", "The epoch nodes are told.", registry=self.registry
        )
        self.stale = Counter(
            "everwhen_operator_stale_refusals",
            "Calls that nodes refused because what they relied on had changed.",
            registry=self.registry,
        )

    def page(self) -> tuple[str, bytes]:
        """Content type and text."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)
