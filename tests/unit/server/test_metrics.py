"""Metrics: what is in the table comes out of the page, and nothing else of ours."""

from __future__ import annotations

import re

import pytest

from everwhen.server.metrics import METRICS, Metrics


def page(metrics: Metrics) -> str:
    return metrics.page()[1].decode()


def feed(metrics: Metrics) -> None:
    metrics.request("POST", "/db/{name}/query/v2", 202, 0.01)
    metrics.statement("ok", 0.02, slow=True)
    metrics.loop_lag(0.001)
    metrics.watch(lambda: {m.name: 7.0 for m in METRICS if m.kind == "gauge"})


def test_the_page_has_the_whole_table_and_no_more():
    metrics = Metrics()
    feed(metrics)
    shown = set(re.findall(r"^# TYPE (everwhen_\w+) ", page(metrics), re.MULTILINE))
    shown -= {name for name in shown if name.endswith("_created")} | {"everwhen_build_info"}
    assert shown == {metric.name for metric in METRICS}


def test_values():
    metrics = Metrics()
    feed(metrics)
    text = page(metrics)
    labels = 'method="POST",route="/db/{name}/query/v2",status="202"'
    assert f"everwhen_http_requests_total{{{labels}}} 1.0" in text
    assert 'everwhen_statements_total{outcome="ok"} 1.0' in text
    assert "everwhen_statements_slow_total 1.0" in text
    assert "everwhen_transactions_open 7.0" in text
    assert "everwhen_build_info{version=" in text


def test_two_nodes_in_one_process_count_apart():
    one, two = Metrics(), Metrics()
    one.statement("ok", 0.1)
    assert 'everwhen_statements_total{outcome="ok"} 1.0' in page(one)
    assert 'everwhen_statements_total{outcome="ok"}' not in page(two)


def test_a_gauge_that_is_not_in_the_table_is_a_mistake():
    metrics = Metrics()
    metrics.watch(lambda: {"everwhen_something": 1.0})
    with pytest.raises(KeyError):
        metrics.page()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric):
    assert metric.name.startswith("everwhen_")
    assert metric.text.endswith(".")
    assert metric.unit
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert (metric.kind == "histogram") == bool(metric.buckets)
    if metric.unit in {"seconds", "bytes"}:
        assert metric.name.removesuffix("_total").endswith(metric.unit)
