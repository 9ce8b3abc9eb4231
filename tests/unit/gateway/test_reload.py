"""What a reload does to the consumers of a gateway that is assembled and not listening."""

import asyncio

import pytest

from gateway.assembly import assemble
from gateway.config import load_config
from gateway.reload import Reloader
from headrace.errors import SinkRefused
from headrace.journal import JournalReader

NOTIFY = '[[notify]]\nurl = "json://127.0.0.1:9/"\n'


@pytest.fixture
def site(tmp_path):
    """Parts with a committing thread and their consumers, as ``gateway run`` starts them."""
    path = tmp_path / "gateway.toml"

    class Site:
        def __init__(self):
            self.write(NOTIFY)
            self.parts = assemble(load_config(path))
            for runner in self.parts.runners:
                consumer = runner.consumer
                runner.start(
                    *self.parts.journal.register(consumer.name, required=consumer.required)
                )
            self.parts.ingest.start()
            # No way in is exchanged here, so it never runs.
            self.reloader = Reloader(self.parts, path, asyncio.new_event_loop())

        def write(self, text):
            path.write_text(f'data_dir = "{tmp_path}"\n{text}', encoding="utf-8")

        def runner(self, name):
            (found,) = [each for each in self.parts.runners if each.consumer.name == name]
            return found

        def close(self):
            for runner in self.parts.runners:
                runner.signal_stop()
            self.parts.common.feed.close()
            for runner in self.parts.runners:
                runner.join()
            self.parts.ingest.stop()
            self.parts.journal.close()

    made = Site()
    yield made
    made.close()


def test_a_consumer_that_ended_for_good_gets_another_try(site):
    """Whoever has mended something needs no restart; the others are left alone."""
    before, rules = site.runner("notify"), site.runner("rules")
    before.failure = SinkRefused("it was refused")
    assert site.reloader.reload().lines == ("started again notify",)
    assert site.runner("notify") is not before
    assert site.runner("notify").failure is None
    assert site.runner("rules") is rules


def test_what_cannot_be_made_changes_nothing(site, tmp_path):
    """Found before anything is stopped: the rules of the same file stay as they were, too."""
    runners = list(site.parts.runners)
    urls = tmp_path / "urls"
    urls.write_text("no url\n", encoding="utf-8")
    rule = '[[rules]]\nname = "r"\nkind = "silence"\nfor_s = 5\n'
    site.write(f'{rule}[[notify]]\nurl_file = "{urls}"\n')
    answer = site.reloader.reload()
    assert not answer.ok
    assert "is not an Apprise URL" in "\n".join(answer.lines)
    assert site.parts.runners == runners
    assert all(runner._thread.is_alive() for runner in runners)


def test_what_is_taken_out_stops_and_lets_go_of_the_journal(site):
    """Also its stored state: it starts anew if it comes back."""
    site.write("")
    assert site.reloader.reload().lines == ("stopped notify",)
    with JournalReader(site.parts.journal.path) as journal:
        assert "notify" not in {name for name, _, _ in journal.cursors()}
    site.write(NOTIFY)
    assert site.reloader.reload().lines == ("started notify",)


def test_a_reload_while_the_journal_takes_nothing_ends_when_the_gateway_stops(site):
    """It waits for what consumers have said; a stop must not wait for the wait."""
    site.parts.ingest.stop()
    site.write("")
    site.reloader.stop()
    assert site.reloader.reload().ok
    assert "notify" not in {each.consumer.name for each in site.parts.runners if each._thread.is_alive()}  # fmt: skip
