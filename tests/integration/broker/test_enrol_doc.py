"""docs/how-to/enrol.md, followed line by line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

import edge_agent.cli
import gateway.cli
from gateway.config import load_config
from headrace.config import load_text
from tests.enrolment import make_site
from tests.servers import wait_until
from tests.servers.agent import agent, log_of, write_agent_config

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "enrol.md").read_text(encoding="utf-8")
HOST = '[[inputs]]\nplugin = "host"\n'
CODE = re.compile(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){3}")


def commands(program: str) -> list[list[str]]:
    """Lines of the page's shell blocks that call a program, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    lines = [shlex.split(line, comments=True) for line in "\n".join(blocks).splitlines()]
    return [words[1:] for words in lines if words and words[0] == program]


def passwords() -> list[list[str]]:
    """The commands about passwords, which have a configuration of their own."""
    return [words for words in commands("gateway") if words[0] == "password"]


def test_the_configurations_are_sound(tmp_path):
    """All of them, as gateway.toml."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    found = []
    for block in blocks:
        path = tmp_path / "gateway.toml"
        (tmp_path / "passwords").touch()
        path.write_text(block.replace("/etc/headrace", str(tmp_path)), encoding="utf-8")
        found.append(load_config(path).broker.auth)
    assert found == ["certificate", "certificate", "password"]


def test_the_commands_about_passwords(tmp_path):
    """In their order, with the page's configuration."""
    block = next(
        block for block in re.findall(r"```toml\n(.*?)```", PAGE, re.S) if "passwords" in block
    )
    config, users = tmp_path / "gateway.toml", tmp_path / "passwords"
    users.touch()
    config.write_text(block.replace("/etc/headrace", str(tmp_path)), encoding="utf-8")
    for words, count in zip(passwords(), (1, 0), strict=True):
        result = CliRunner().invoke(gateway.cli.main, [*words, "-c", str(config)])
        assert result.exit_code == 0, result.output
        assert len(users.read_text(encoding="utf-8").splitlines()) == count


def test_the_commands_in_their_order(programs, tmp_path):
    """From the code to a device that is cut off; addresses and paths are the test's own."""
    site = make_site(programs)
    site.gateway.start()
    config = write_agent_config(tmp_path, port=1, inputs=HOST, device="my-device")
    invite, *after, mosquitto = [words for words in commands("gateway") if words not in passwords()]
    answer = CliRunner().invoke(gateway.cli.main, [*invite, "-c", str(site.gateway.program.config)])
    code = CODE.search(answer.stdout)
    assert code is not None, answer.output
    own = {"4K7Q-9RTX-M2PD-0ZHN": code[0], "agent.toml": str(config),
           "https://gateway.local:8443": site.url}  # fmt: skip
    enroll, run, renew = ([own.get(word, word) for word in line] for line in commands("edge-agent"))
    for words in (enroll, renew):
        result = CliRunner().invoke(edge_agent.cli.main, words)
        assert result.exit_code == 0, result.output
    assert run == ["run", "--config", str(config)]
    with agent(config):
        wait_until(
            lambda: [row["device"] for row in site.gateway.get("api/v1/devices")] == ["pump-7"],
            20, f"pump-7 delivers: {log_of(config)}",
        )  # fmt: skip
        for words in after:
            result = CliRunner().invoke(
                gateway.cli.main, [*words, "-c", str(site.gateway.program.config)]
            )
            assert result.exit_code == 0, result.output
        wait_until(lambda: "ot authorized" in log_of(config), 20, "the agent says why")
    out = [word.replace("/var/lib", str(tmp_path)) for word in mosquitto]
    result = CliRunner().invoke(gateway.cli.main, [*out, "-c", str(site.gateway.program.config)])
    assert result.exit_code == 0, result.output


def test_what_the_sample_configuration_says_about_enrolment_is_so(tmp_path):
    """Every commented key, once uncommented, is a key."""
    sample = CliRunner().invoke(gateway.cli.main, ["sample-config"]).stdout
    block = sample.split("# [enrol]\n")[1].split("\n\n")[0]
    from gateway.enrol.config import EnrolConfig

    lines = [line.removeprefix("# ") for line in block.splitlines()]
    assert load_text("\n".join(lines), EnrolConfig, source="sample").enabled
