"""Commands: what they print, and what happens when they do not behave. The commands are real."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edge_agent.inputs.exec.input import ExecInput
from edge_agent.inputs.exec.settings import ExecSettings
from edge_agent.readings import Poll
from headrace.clock import ManualClock
from headrace.errors import InputError
from tests.servers import wait_until

NOW = 1_750_000_000_000_000


def poll(script: str, **keys: Any) -> Poll:
    source = ExecInput(ExecSettings(command=("sh", "-c", script), **keys))
    source.open(clock=ManualClock(NOW), checkpoint=None)
    return source.poll()


def of(found: Poll) -> list[tuple[str, object, str]]:
    return [(run.name, run.values[0], run.unit) for run in found.runs]


def test_lines_are_name_value_and_perhaps_unit() -> None:
    """Comments and blank lines are nothing; switch words are 0 and 1; all at the end of the run."""
    found = poll(
        "printf '# tank\\n\\ntank/level 1.25 m\\npump on\\nload 0.5 # now\\n'", prefix="a/"
    )
    assert of(found) == [("a/tank/level", 1.25, "m"), ("a/pump", 1.0, ""), ("a/load", 0.5, "")]
    assert all(list(run.times) == [NOW] for run in found.runs)


def test_json_gives_a_reading_per_leaf() -> None:
    """Nested ones by their path; units come from the configuration."""
    found = poll("""echo '{"tank": {"level": 1.25, "pump": true, "x": null}}'""", format="json",
                 units={"tank/level": "m"})  # fmt: skip
    assert of(found) == [("tank/level", 1.25, "m"), ("tank/pump", 1.0, "")]


def test_line_protocol_gets_the_names_that_a_gateway_gives() -> None:
    """Tags sorted, escapes undone, integers, booleans, times in nanoseconds."""
    script = (
        "cat <<'END'\n# comment\n"
        "tank,site=b,area=a\\ 1 level=1.25,pump=t,count=7i 1750000000000000999\n"
        'tank state="full, \\"really\\"",x=2u\nEND'
    )
    found = poll(script, format="line_protocol", text=True)
    assert of(found) == [
        ("tank.level;area=a 1;site=b", 1.25, ""), ("tank.pump;area=a 1;site=b", 1.0, ""),
        ("tank.count;area=a 1;site=b", 7.0, ""), ("tank.state", 'full, "really"', ""),
        ("tank.x", 2.0, ""),
    ]  # fmt: skip
    assert [run.times[0] for run in found.runs] == [1_750_000_000_000_000] * 3 + [NOW] * 2


def test_what_is_no_number_is_counted_and_the_rest_counts() -> None:
    """Texts only where the configuration takes them; nan is none; a name alone is none."""
    script = "printf 'a n/a\\nb nan\\nc\\nd 4\\n'"
    found = poll(script)
    assert (of(found), dict(found.dropped)) == ([("d", 4.0, "")], {"unreadable": 3})
    found = poll(script, text=True)
    assert of(found)[:2] == [("a", "n/a", ""), ("b", "nan", "")]
    found = poll("printf 'm x=1\\nnonsense\\nm x=nan\\n'", format="line_protocol")
    assert (of(found), dict(found.dropped)) == ([("m.x", 1.0, "")], {"unreadable": 2})


@pytest.mark.parametrize(
    ("script", "keys", "message"),
    [
        ("echo a 1; echo first >&2; echo 'no such bus' >&2; exit 3", {}, "status 3: no such bus"),
        ("exit 1", {}, "nothing on stderr"),
        ("kill -9 $$", {}, "status -9"),
        ("yes", {"max_bytes": 1_000}, "over 1000 bytes"),
        ("echo no json", {"format": "json"}, "printed no json"),
        ("echo '[1]'", {"format": "json"}, "expected an object"),
        ("printf '\\377'", {}, "printed no lines"),
    ],
)
def test_a_command_that_fails_is_a_failure_of_the_input(
    script: str, keys: dict[str, Any], message: str
) -> None:
    """With the last line of its stderr; nothing of that run is taken."""
    with pytest.raises(InputError, match=message):
        poll(script, **keys)


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """A script's child would else hold the pipe and go on for ever."""
    pids = tmp_path / "pids"
    started = time.monotonic()
    with pytest.raises(InputError, match="did not end within"):
        poll(f"sleep 60 & echo $! $$ > {pids}; wait", timeout_s=0.5)
    assert time.monotonic() - started < 5
    for pid in pids.read_text(encoding="utf-8").split():
        wait_until(lambda pid=pid: is_gone(int(pid)), 20, f"{pid} is gone")


def test_a_command_that_runs_when_the_agent_stops_is_ended() -> None:
    """A service manager does not wait for minutes."""
    source = ExecInput(ExecSettings(command=("sleep", "60"), timeout_s=60.0))
    source.open(clock=ManualClock(), checkpoint=None)
    started = time.monotonic()
    timer = threading.Timer(0.1, source.interrupt)
    timer.start()
    with pytest.raises(InputError, match="the agent stops"):
        source.poll()
    assert time.monotonic() - started < 5
    timer.join()


def is_gone(pid: int) -> bool:
    """Ended; where nobody waits for orphans, they stay as zombies."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z"


def test_arguments_are_not_seen_by_a_shell() -> None:
    """What looks like a command in an argument stays text."""
    command = (sys.executable, "-c", "import sys; print('n', len(sys.argv[1]))", "$(id); ls")
    source = ExecInput(ExecSettings(command=command))
    source.open(clock=ManualClock(), checkpoint=None)
    assert of(source.poll()) == [("n", 9.0, "")]


def test_faults_of_the_settings_have_their_keys() -> None:
    """A program that is not there, and a time-out that is longer than the interval."""
    chosen = ExecSettings(
        command=("no-such-program",), interval_s=1, timeout_s=2, units={"a": "odd"}
    )
    assert [key for key, _ in chosen.problems()] == ["command", "timeout_s"]
    assert [key for key, _ in chosen.warnings()] == ["units.a"]
