"""Every input plugin is a whole folder; and the host's own metrics are real."""

from __future__ import annotations

import re
from importlib.resources import files

import psutil
import pytest

from edge_agent.config import SAMPLE_HEAD, AgentSettings
from edge_agent.inputs.host import HostInput, HostSettings
from edge_agent.inputs.port import Advising, Input, SelfChecking
from headrace.clock import ManualClock
from headrace.config import FaultList, load_text
from headrace.plugins import INPUTS, find, names, read_plugins
from headrace.units import is_registered


@pytest.mark.parametrize("name", names(INPUTS))
def test_an_input_folder_is_complete_and_its_sample_loads(name: str) -> None:
    """Code, sample.toml and README.md; the sample has no unknown key and builds an input."""
    plugin = find(INPUTS, name)
    assert files(plugin.package).joinpath("README.md").is_file()
    settings = load_text(SAMPLE_HEAD + plugin.sample(), AgentSettings, source="sample")
    found = FaultList()
    ((_, _, typed),) = read_plugins(INPUTS, settings.inputs, found)
    assert not found.faults
    assert isinstance(plugin.build(typed), Input)


@pytest.mark.parametrize("name", names(INPUTS))
def test_a_sample_shows_every_key_of_its_plugin(name: str) -> None:
    """A setting that is not in the sample is not found by anyone."""
    plugin = find(INPUTS, name)
    shown = re.findall(r"^(?:# |\[\[?inputs\.)?(\w+)(?= =|\])", plugin.sample(), re.MULTILINE)
    assert not set(plugin.config.__slots__) - set(shown)


@pytest.mark.parametrize("name", sorted({*names(INPUTS)} - {"replay"}))
def test_a_sample_has_no_fault_and_no_warning(name: str) -> None:
    """It can be tried as it is; replay's names a file that is not there."""
    settings = load_text(SAMPLE_HEAD + find(INPUTS, name).sample(), AgentSettings, source="sample")
    ((_, _, typed),) = read_plugins(INPUTS, settings.inputs, FaultList())
    assert not isinstance(typed, SelfChecking) or not typed.problems()
    assert not isinstance(typed, Advising) or not typed.warnings()


def test_the_host_says_what_this_machine_does() -> None:
    """CPU per core, load, memory, disk at the first poll; rates from the second on."""
    clock = ManualClock()
    source = HostInput(HostSettings())
    source.open(clock=clock, checkpoint=None)
    clock.advance(1.0)
    values = {run.name: run.values[0] for run in source.poll().runs}
    cores = psutil.cpu_count()
    assert cores is not None
    assert {f"cpu/{core}/usage" for core in range(cores)} <= values.keys()
    assert {"load/1m", "memory/usage", "disk/root/usage"} <= values.keys()
    assert 0 < float(values["memory/usage"]) < 100
    assert any(name.endswith("/received") for name in values) or not psutil.net_if_stats()


def test_a_mount_that_is_gone_costs_its_own_readings() -> None:
    """A USB disk that was pulled out."""
    source = HostInput(HostSettings(mounts=("/no/such/mount", "/")))
    source.open(clock=ManualClock(), checkpoint=None)
    poll = source.poll()
    names = {run.name for run in poll.runs}
    assert {"memory/usage", "disk/root/free"} <= names
    assert "disk/no/such/mount/free" not in names
    assert poll.dropped == {"unreadable": 2}


def test_the_hosts_units_are_senml() -> None:
    """Or empty where SenML has none (load)."""
    source = HostInput(HostSettings(prefix="host/"))
    source.open(clock=ManualClock(), checkpoint=None)
    runs = source.poll().runs
    assert all(run.name.startswith("host/") for run in runs)
    assert all(run.unit == "" or is_registered(run.unit) for run in runs)
    assert len({tuple(run.times) for run in runs}) == 1
