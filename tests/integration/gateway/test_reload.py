"""A running gateway is told to read its configuration again, while readings come in."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from gateway.running import find
from headrace import codecs
from headrace.journal import JournalReader
from tests.batches import payload
from tests.devices import Device
from tests.programs import make_gateway
from tests.servers import wait_until
from tests.servers.influxdb import influxdb

STREAM = "0123456789abcdef"
BATCH = 50


class Load:
    """A device that sends batch after batch until it is told to stop; a reading's value is its seq."""

    def __init__(self, device):
        self.device = device
        self.sent = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stopping.is_set():
            self.device.publish(payload(STREAM, self.sent + 1, BATCH))
            self.sent += BATCH

    def wait_for(self, count):
        goal = self.sent + count
        wait_until(lambda: self.sent >= goal, 20, f"{count} more readings")

    def end(self):
        self._stopping.set()
        self._thread.join()
        self.device.wait_acked(self.sent)


def reload(gateway, *words):
    command = [sys.executable, "-m", "gateway", "reload", "--config", str(gateway.program.config)]
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=60)


def rewrite(gateway, text):
    gateway.program.config.write_text(text, encoding="utf-8")


def sink(url, name, **more):
    lines = [f"{key} = {value}" for key, value in more.items()]
    return "\n".join(
        ["[[sinks]]", 'plugin = "influxdb"', f'name = "{name}"', 'api = "v1"', f'url = "{url}"',
         f'database = "{name}"', "required = true", *lines, ""]
    )  # fmt: skip


def rule(name, value):
    return f'[[rules]]\nname = "{name}"\nkind = "threshold"\nseries = "flow"\nop = ">"\nvalue = {value}\n'


def said(gateway):
    """(rule, state) of every alert in the journal, in order."""
    with JournalReader(gateway.journal) as reader:
        rows = reader.read(0, max_rows=10**9, max_bytes=10**9)
    found = []
    for row in rows:
        table = codecs.decode(row.format, row.payload, row.received_at).rows
        for name, text in zip(table["name"].to_pylist(), table["text"].to_pylist(), strict=True):
            if name.startswith("alert/"):
                found.append(
                    (name.removeprefix("alert/"), text.split('"state":"')[1].split('"')[0])
                )
    return found


def test_rules_and_sinks_change_in_mid_flow_and_nothing_is_lost_or_doubled(programs, tmp_path):
    """Two reloads under load: a rule and a sink come, a sink's settings change, one goes."""
    with influxdb(tmp_path) as server:
        for database in ("one", "two"):
            server.query(f"CREATE DATABASE {database}")
        start = [rule("wet", 10), sink(server.url, "one")]
        gateway = make_gateway(programs, extra=["[vitals]\nenabled = false\n", *start])
        base = gateway.program.config.read_text(encoding="utf-8")
        gateway.start()
        gateway.wait_ready()
        load = Load(Device("pump-1", gateway.mqtt_port))
        load.wait_for(20 * BATCH)
        rewrite(gateway, base + rule("deep", 100) + sink(server.url, "two"))
        done = reload(gateway)
        assert (done.returncode, done.stderr) == (0, "")
        assert {"changed rules", "started sink/two"} <= set(done.stdout.splitlines())
        load.wait_for(20 * BATCH)
        gzip_off = base.replace('database = "one"', 'database = "one"\ngzip = false')
        rewrite(gateway, gzip_off + rule("deep", 100) + sink(server.url, "two"))
        assert reload(gateway).stdout == "changed sink/one\n"
        load.wait_for(20 * BATCH)
        load.end()
        for name in ("one", "two"):
            wait_until(lambda n=name: count(server, n) == load.sent, 30, f"all of it in {name}")
        alerts = said(gateway)
        assert sorted(alerts) == [("deep", "firing"), ("wet", "firing")]
        # Counted when the journal knows it, which is after the database does.
        accepted = 'headrace_gateway_sink_readings_total{{sink="{}",verdict="accept"}}'
        for name in ("one", "two"):
            wait_until(
                lambda n=name: gateway.metric(accepted.format(n)) == load.sent + len(alerts),
                30, f"each is counted once in {name}",
            )  # fmt: skip
        rewrite(gateway, base)
        assert "stopped sink/two" in reload(gateway).stdout
        assert "sink/two" not in {each["consumer"] for each in gateway.get("api/v1/consumers")}
        assert gateway.program.stop() == 0


def count(server, database):
    rows = server.query('SELECT count("value") FROM readings WHERE "name" = \'flow\'', database)
    return int(rows[0][1]) if rows else 0


@pytest.fixture
def quiet(programs):
    made = make_gateway(programs, extra=[rule("wet", 10)])
    made.start()
    made.wait_ready()
    return made


def test_what_cannot_change_is_refused_by_name_and_the_gateway_stays_as_it_is(quiet):
    """Also the parts of the same file that could have changed."""
    text = quiet.program.config.read_text(encoding="utf-8")
    text = text.replace('site = "site-1"', 'site = "site-2"').replace("console = false", "console = true")  # fmt: skip
    rewrite(quiet, text + rule("deep", 100))
    done = reload(quiet)
    assert done.returncode == 1
    assert "site: cannot be changed while the gateway runs" in done.stdout
    assert "http.console: cannot be changed" in done.stdout
    device = Device("pump-1", quiet.mqtt_port)
    device.publish(payload(STREAM, 1, 200))
    device.wait_acked(200)
    wait_until(lambda: said(quiet), 10, "the old rule fires")
    assert said(quiet) == [("wet", "firing")]
    device.close()


def test_a_broken_file_changes_nothing_and_every_fault_is_said(quiet):
    """By the command, and in the gateway's log for whoever sent the signal."""
    text = quiet.program.config.read_text(encoding="utf-8")
    rewrite(quiet, text.replace('kind = "threshold"', 'kind = "treshold"') + "[jornal]\n")
    done = reload(quiet)
    assert done.returncode == 2
    assert "2 faults" in done.stderr
    quiet.program.signal(signal.SIGHUP)
    wait_until(lambda: "reload refused" in quiet.program.output(), 10, "the refusal is logged")
    assert "jornal" in quiet.program.output()
    assert quiet.is_ready()


def test_the_journals_limits_change_without_a_restart(quiet):
    """And a command can read the answer."""
    text = quiet.program.config.read_text(encoding="utf-8")
    rewrite(quiet, text.replace("[journal]\n", "[journal]\nmax_bytes = 33554432\n"))
    done = reload(quiet, "--json")
    assert (
        done.stdout.strip()
        == '{"number":1,"ok":true,"lines":["changed rules","changed journal.max_bytes"]}'
    )
    # "rules": the built-in one about the journal has its threshold from there.


def test_a_second_gateway_on_the_same_data_is_refused(quiet, programs):
    """Two writers of one journal would each number batches as if there were no other."""
    again = make_gateway(programs, data=quiet.data)
    again.program.start()
    assert again.program.process.wait(30) == 2
    assert "another gateway" in again.program.output()
    assert find(quiet.data) == quiet.program.process.pid
    assert quiet.program.stop() == 0
    assert find(quiet.data) is None


def test_without_a_gateway_a_reload_says_so(programs):
    """Exit status 2: nobody to tell."""
    done = reload(make_gateway(programs))
    assert done.returncode == 2
    assert "no gateway runs" in done.stderr


def test_a_consumer_that_is_configured_no_more_does_not_hold_the_journal(programs):
    """Its cursor goes at the next start, with a word in the log."""
    gateway = make_gateway(programs, extra=['[[notify]]\nurl = "json://127.0.0.1:9/"\n'])
    gateway.start()
    gateway.wait_ready()
    assert gateway.program.stop() == 0
    rewrite(gateway, gateway.program.config.read_text().partition("[[notify]]")[0])
    gateway.start()
    with JournalReader(gateway.journal) as reader:
        assert "notify" not in {name for name, _, _ in reader.cursors()}
    assert "notify is configured no more" in gateway.program.output()
