"""Notifications: a consumer that sends alerts to people through Apprise.

Reading order:

- ``config``    the ``[[notify]]`` tables
- ``outbox``    what waits to be sent, attempts and pauses (pure)
- ``sender``    Apprise behind a deadline
- ``consumer``  alerts in, notifications out
"""

from gateway.notify.config import NotifyConfig, check_notify

__all__ = ["NotifyConfig", "check_notify"]
