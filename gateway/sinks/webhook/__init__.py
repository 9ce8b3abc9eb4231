"""Webhook: CloudEvents over HTTP, to whoever takes a POST.

Reading order: ``config``, ``events`` (SenML records to CloudEvents),
``request`` (events to one POST, signed), ``receiver`` (who gets it), ``sink`` (answers to verdicts).
"""

from gateway.sinks.webhook.config import WebhookSettings, check
from gateway.sinks.webhook.sink import WebhookSink
from headrace.plugins import Plugin


def build(settings: WebhookSettings, *, site: str) -> WebhookSink:
    """A sink for these settings."""
    return WebhookSink(settings, site=site)


PLUGIN = Plugin(__name__, WebhookSettings, build, check)
