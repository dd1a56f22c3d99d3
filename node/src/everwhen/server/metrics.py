"""Every metric of a node: its name, unit and meaning, in one table.

The registry is an object of its own, so that a test can run many nodes in one process. Counters and
histograms are fed by the doors; gauges are read from the node when somebody asks (``watch``), so the
core keeps no numbers for the sake of graphs. ``docs/operations.md`` repeats the table; a test
compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric as Family

from everwhen.version import VERSION


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table. ``kind`` is counter, gauge or histogram."""

    name: str
    kind: str
    unit: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
_LAG: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

METRICS: Final = (
    # --- the HTTP door ---
    Metric(
        "everwhen_http_requests_total",
        "counter",
        "requests",
        "Requests answered, by method, route pattern and status code.",
        ("method", "route", "status"),
    ),
    Metric(
        "everwhen_http_request_seconds",
        "histogram",
        "seconds",
        "Time from a request's headers to the last byte of its answer, by route pattern.",
        ("route",),
        _FAST,
    ),
    # --- the Bolt door ---
    Metric(
        "everwhen_bolt_requests_total",
        "counter",
        "requests",
        "Requests answered, by name and outcome: `success`, `failure` or `ignored`.",
        ("request", "outcome"),
    ),
    Metric(
        "everwhen_bolt_request_seconds",
        "histogram",
        "seconds",
        "Time from a request's turn to its answer, by name.",
        ("request",),
        _FAST,
    ),
    # --- statements ---
    Metric(
        "everwhen_statements_total",
        "counter",
        "statements",
        "Statements ended, by outcome: `ok` or the class of the error's code.",
        ("outcome",),
    ),
    Metric(
        "everwhen_statement_seconds",
        "histogram",
        "seconds",
        "Time a statement ran, from plan to last row.",
        (),
        _FAST,
    ),
    Metric(
        "everwhen_statements_slow_total",
        "counter",
        "statements",
        "Statements above `log.slow_query_s`.",
    ),
    Metric(
        "everwhen_audit_reads_total", "counter", "lines", "Reads written to `audit.reads_file`."
    ),
    Metric(
        "everwhen_audit_reads_lost_total",
        "counter",
        "lines",
        "Reads that could not be written to `audit.reads_file`: the disk failed or was too slow.",
    ),
    Metric(
        "everwhen_authentication_failures_total",
        "counter",
        "attempts",
        "Attempts to log on with a wrong password, an unknown name, or as a suspended user.",
    ),
    # --- the process ---
    Metric(
        "everwhen_event_loop_lag_seconds",
        "histogram",
        "seconds",
        "How late the event loop woke up for a timer.",
        (),
        _LAG,
    ),
    # --- read from the node when asked ---
    Metric("everwhen_event_loop_tasks", "gauge", "tasks", "Tasks of the event loop."),
    Metric("everwhen_bolt_connections", "gauge", "connections", "Bolt connections open now."),
    Metric("everwhen_transactions_open", "gauge", "transactions", "Transactions open now."),
    Metric("everwhen_version", "gauge", "commits", "Newest version: data commits so far."),
    Metric("everwhen_log_last_index", "gauge", "entries", "Index of the last entry in the log."),
    Metric("everwhen_log_applied_index", "gauge", "entries", "Index of the last entry applied."),
    Metric("everwhen_group_term", "gauge", "terms", "The term of the group."),
    Metric("everwhen_group_leads", "gauge", "nodes", "1 on the node that leads, else 0."),
    Metric("everwhen_group_has_leader", "gauge", "nodes", "1 where a leader is known, else 0."),
    Metric("everwhen_group_voters", "gauge", "nodes", "Members that vote."),
    Metric("everwhen_fenced", "gauge", "nodes", "1 where the node is out of service, else 0."),
    Metric(
        "everwhen_writes_refused",
        "gauge",
        "nodes",
        "1 where writes are refused because memory or disk is short, else 0.",
    ),
    Metric("everwhen_nodes", "gauge", "nodes", "Nodes of the graph at present."),
    Metric(
        "everwhen_relationships",
        "gauge",
        "relationships",
        "Relationships of the graph at present.",
    ),
    Metric("everwhen_vacuum_rounds", "gauge", "rounds", "Rounds of vacuum begun so far."),
    Metric("everwhen_vacuum_running", "gauge", "rounds", "1 while a round is under way, else 0."),
    Metric("everwhen_vacuum_keys", "gauge", "keys", "Keys that vacuum took away so far."),
    Metric("everwhen_vacuum_bytes", "gauge", "bytes", "Bytes of them, before compression, so far."),
    Metric(
        "everwhen_compaction_segments",
        "gauge",
        "segments",
        "Segments that were made of keys so far.",
    ),
    Metric(
        "everwhen_compaction_rows",
        "gauge",
        "elements",
        "Nodes and relationships that moved from keys into segments so far.",
    ),
    Metric(
        "everwhen_compaction_running",
        "gauge",
        "segments",
        "1 while a segment takes the place of keys, else 0.",
    ),
    Metric("everwhen_vacuum_oldest_version", "gauge", "commits", "Oldest readable version."),
    Metric("everwhen_erasures_open", "gauge", "erasures", "Erasures that are not done yet."),
    Metric(
        "everwhen_record_buffer_bytes",
        "gauge",
        "bytes",
        "Memory for what the record's files do not hold yet.",
    ),
    Metric(
        "everwhen_record_cache_bytes",
        "gauge",
        "bytes",
        "Memory for blocks of the record's files.",
    ),
    Metric(
        "everwhen_log_cache_bytes",
        "gauge",
        "bytes",
        "Memory for the newest entries of the log.",
    ),
    Metric(
        "everwhen_image_bytes",
        "gauge",
        "bytes",
        "Memory for graph, vectors and texts as columns.",
    ),
    Metric("everwhen_disk_free_bytes", "gauge", "bytes", "Free space where the data folder is."),
)

_BY_NAME: Final = {metric.name: metric for metric in METRICS}

#: combinations of labels looked up once
_HTTP_KNOWN_MAX: Final = 1_000

#: values of gauges by metric name; one that is absent is not shown
Gauges = Mapping[str, float]


class Metrics:
    """The metrics of one node."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._watched: Callable[[], Gauges] = dict
        ProcessCollector(registry=self.registry)
        self.registry.register(self)
        self._requests = self._counter("everwhen_http_requests_total")
        self._request_seconds = self._histogram("everwhen_http_request_seconds")
        self._http_known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._bolt = self._counter("everwhen_bolt_requests_total")
        self._bolt_seconds = self._histogram("everwhen_bolt_request_seconds")
        self._bolt_known: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._statements = self._counter("everwhen_statements_total")
        self._outcomes: dict[str, Counter] = {}
        self._statement_seconds = self._histogram("everwhen_statement_seconds")
        self._slow = self._counter("everwhen_statements_slow_total")
        self._reads = self._counter("everwhen_audit_reads_total")
        self._reads_lost = self._counter("everwhen_audit_reads_lost_total")
        self._refused = self._counter("everwhen_authentication_failures_total")
        self._lag = self._histogram("everwhen_event_loop_lag_seconds")

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. ``route`` is the pattern, never the path: paths have no end."""
        known = self._http_known.get((method, route, status))
        if known is None:
            counter = self._requests.labels(method, route, str(status))
            known = counter, self._request_seconds.labels(route)
            if len(self._http_known) < _HTTP_KNOWN_MAX:
                self._http_known[method, route, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def bolt_request(self, name: str, outcome: str, seconds: float) -> None:
        """A request over Bolt was answered. Names are those of the protocol, so few."""
        known = self._bolt_known.get((name, outcome))
        if known is None:
            known = self._bolt.labels(name, outcome), self._bolt_seconds.labels(name)
            self._bolt_known[name, outcome] = known
        known[0].inc()
        known[1].observe(seconds)

    def statement(self, outcome: str, seconds: float, *, slow: bool = False) -> None:
        """A statement ended."""
        known = self._outcomes.get(outcome)
        if known is None:
            known = self._outcomes[outcome] = self._statements.labels(outcome)
        known.inc()
        self._statement_seconds.observe(seconds)
        if slow:
            self._slow.inc()

    def reads_audited(self, count: int) -> None:
        """Lines of the audit of reads were written."""
        self._reads.inc(count)

    def reads_lost(self, count: int) -> None:
        """Lines of the audit of reads were lost."""
        self._reads_lost.inc(count)

    def authentication_failed(self) -> None:
        """Somebody did not get in."""
        self._refused.inc()

    def loop_lag(self, seconds: float) -> None:
        """The event loop woke up so late."""
        self._lag.observe(seconds)

    def watch(self, read: Callable[[], Gauges]) -> None:
        """Where gauges come from, asked at every scrape."""
        self._watched = read

    def page(self) -> tuple[str, bytes]:
        """Content type and body of ``/metrics``."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)

    def collect(self) -> Iterator[Family]:
        """The gauges, for the registry."""
        build = GaugeMetricFamily(
            "everwhen_build_info", "This build; always 1.", labels=["version"]
        )
        build.add_metric([VERSION], 1)
        yield build
        for name, value in self._watched().items():
            yield GaugeMetricFamily(name, _BY_NAME[name].text, value=value)

    def describe(self) -> list[Family]:
        """Nothing is known before the node is there; keeps registration from asking for values."""
        return []

    def _counter(self, name: str) -> Counter:
        metric = _BY_NAME[name]
        return Counter(name, metric.text, metric.labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        metric = _BY_NAME[name]
        return Histogram(
            name, metric.text, metric.labels, buckets=metric.buckets, registry=self.registry
        )
