"""Traces of a real gateway, at a receiver that speaks OTLP."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.tracing.choose import make_trace
from gateway.tracing.port import OFF
from headrace.tracing.config import TracingConfig
from tests.batches import payload
from tests.devices import Device
from tests.programs import make_gateway
from tests.servers import wait_until
from tests.servers.influxdb import influxdb
from tests.servers.otlp import otlp

STREAM = "0123456789abcdef"


def number(span, key):
    return next(each.value.int_value for each in span.attributes if each.key == f"headrace.{key}")


def test_the_way_of_a_group_is_one_trace_to_the_sink(programs, tmp_path):
    """Receive, decode, commit, confirm and hand on below the group, and the sink's write as well."""
    with otlp() as receiver, influxdb(tmp_path) as server:
        server.query("CREATE DATABASE one")
        sink = (
            f'[[sinks]]\nplugin = "influxdb"\napi = "v1"\nurl = "{server.url}"\ndatabase = "one"\n'
        )
        tracing = f'[tracing]\nendpoint = "{receiver.url}"\n'
        gateway = make_gateway(programs, extra=["[vitals]\nenabled = false\n", tracing, sink])
        gateway.start()
        gateway.wait_ready()
        device = Device("pump-1", gateway.mqtt_port)
        device.publish(payload(STREAM, 1, 300))
        device.wait_acked(300)
        wait_until(lambda: server.count("one") == 300, 20, "the sink has all")
        device.close()
        assert gateway.program.stop() == 0
    (group,) = [
        span for span in receiver.spans if span.name == "group" and number(span, "batches") == 1
    ]
    assert number(group, "readings") == 300
    below = {span.name: span for span in receiver.spans if span.parent_span_id == group.span_id}
    assert set(below) == {
        "receive",
        "decode",
        "commit",
        "confirm",
        "hand on",
        "schema",
        "sink/influxdb",
    }
    assert {span.trace_id for span in below.values()} == {group.trace_id}
    assert not group.parent_span_id
    order = ["receive", "decode", "commit", "confirm", "hand on"]
    ends = [below[name].end_time_unix_nano for name in order]
    assert ends == sorted(ends)
    assert group.start_time_unix_nano == below["receive"].start_time_unix_nano
    assert number(below["sink/influxdb"], "first_offset") == 1
    assert receiver.resource["service.name"] == "headrace-gateway"
    assert receiver.resource["headrace.site"] == "site-1"


def test_landing_and_registration_are_in_the_traces_of_their_batches(programs, tmp_path):
    """Two groups of batches in one landing: in the trace of the first, linked to that of the other."""
    with otlp() as receiver:
        tracing = f'[tracing]\nendpoint = "{receiver.url}"\n'
        gateway = make_gateway(programs, extra=["[vitals]\nenabled = false\n", tracing])
        gateway.start()
        gateway.wait_ready()
        device = Device("pump-1", gateway.mqtt_port)
        for first in (1, 301):
            device.publish(payload(STREAM, first, 300))
            device.wait_acked(first + 299)
        device.close()
        assert gateway.program.stop() == 0
        where = f'[journal]\npath = "{gateway.journal}"\n[lake]\nuri = "{tmp_path / "lake"}"\n'
        cloud = programs.make("cloud_sync", where + "[register]\ninterval_s = 1\n" + tracing)
        cloud.start()
        wait_until(lambda: "registering: 600 readings" in cloud.output(), 60, cloud.output)
        assert cloud.stop() == 0
    groups = [
        span for span in receiver.spans if span.name == "group" and number(span, "batches") == 1
    ]
    first, second = sorted(groups, key=lambda span: number(span, "last_offset"))
    (landing,) = [span for span in receiver.spans if span.name == "landing"]
    assert (landing.trace_id, landing.parent_span_id) == (first.trace_id, first.span_id)
    assert [(each.trace_id, each.span_id) for each in landing.links] == [(second.trace_id, second.span_id)]  # fmt: skip
    assert number(landing, "readings") == 600
    below = {span.name: span for span in receiver.spans if span.parent_span_id == landing.span_id}
    assert set(below) == {"encode", "upload", "manifest", "registration"}
    assert {span.trace_id for span in below.values()} == {first.trace_id}
    assert receiver.resource["service.name"] == "headrace-cloud-sync"


def test_off_means_that_nothing_is_imported():
    """A gateway without a collector pays neither memory nor time."""
    code = "import sys, gateway.assembly; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert make_trace(TracingConfig(), "site-1", Path(), {}) is OFF


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])  # fmt: skip
def test_the_standard_variables_switch_it_on_and_off(name, tmp_path):
    """As every program with OpenTelemetry does."""
    there = {name: "http://127.0.0.1:4318"}
    made = make_trace(TracingConfig(), "site-1", tmp_path, there)
    assert made is not OFF
    made.close()
    assert (
        make_trace(TracingConfig(), "site-1", tmp_path, there | {"OTEL_SDK_DISABLED": "true"})
        is OFF
    )
