"""Logs hide secrets; spans join the caller's trace; metrics carry the documented names."""

import io
import json
import logging

import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from services.common.config import LogConfig
from services.common.log import configure_logging
from services.common.metrics import Metrics
from services.common.tracing import outgoing_metadata, server_span


def test_logs_are_json_lines_without_secrets() -> None:
    """Also what the standard library logs; levels below the configured one are left out."""
    stream = io.StringIO()
    before = logging.getLogger().handlers[:]
    try:
        configure_logging(LogConfig("json", "info"), "ingest", stream)
        log = structlog.get_logger()
        log.info("polled", feed="stcp", access_token="abc", number_plate="AA-00-BB")
        log.debug("left_out")
        logging.getLogger("library").warning("standard %s", "library")
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        logging.captureWarnings(False)
        logging.getLogger().handlers[:] = before
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["feed"], first["access_token"], first["number_plate"]) == ("polled", "stcp", "***", "***")
    assert (first["service"], first["level"], second["event"]) == ("ingest", "info", "standard library")


def test_spans_join_the_caller_s_trace_and_hand_it_on() -> None:
    """W3C traceparent in, the same trace out."""
    provider = TracerProvider()
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("caller") as caller:
        metadata = outgoing_metadata()
    assert metadata[0][0] == "traceparent"
    with server_span("/a.B/C", metadata) as served:
        assert served.get_span_context().trace_id == caller.get_span_context().trace_id
        assert dict(outgoing_metadata())["traceparent"].split("-")[1] == f"{caller.get_span_context().trace_id:032x}"
    assert not trace.get_current_span().get_span_context().is_valid
    provider.shutdown()


def test_metrics_have_the_documented_names() -> None:
    """What dashboards and alerts are written against."""
    metrics = Metrics()
    metrics.feed_age_seconds.labels("stcp").set(5)
    metrics.entity_age_seconds.labels("stcp").observe(7)
    metrics.match_ratio.labels("stcp").set(0.9)
    metrics.rejected_total.labels("stcp", "E001").inc()
    metrics.epoch.labels("speed").set(3)
    with metrics.time("raptor"):
        pass
    value = metrics.registry.get_sample_value
    assert value("feed_age_seconds", {"feed": "stcp"}) == 5
    assert value("entity_age_seconds_count", {"feed": "stcp"}) == 1
    assert value("match_ratio", {"feed": "stcp"}) == 0.9
    assert value("rejected_total", {"feed": "stcp", "code": "E001"}) == 1
    assert value("epoch", {"kind": "speed"}) == 3
    assert value("work_seconds_count", {"part": "raptor"}) == 1
