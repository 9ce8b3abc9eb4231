"""What real clouds answer to a credential that is refused, as their documentation shows it."""

from __future__ import annotations

from typing import Final

from tests.servers.http import Reply

_XML: Final = {"Content-Type": "application/xml"}
_JSON: Final = {"Content-Type": "application/json; charset=UTF-8"}

S3_EXPIRED: Final = Reply(
    400,
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message>"
    b"<RequestId>4442587FB7D0A2F9</RequestId></Error>",
    _XML,
)

GCS_EXPIRED: Final = Reply(
    401,
    b'{"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"message": '
    b'"Invalid Credentials", "domain": "global", "reason": "authError"}]}}',
    _JSON,
)

GCS_DENIED: Final = Reply(
    403,
    b'{"error": {"code": 403, "message": "edge@site.iam.gserviceaccount.com does not have '
    b"storage.objects.create access to the Google Cloud Storage object. Permission "
    b'\'storage.objects.create\' denied on resource (or it may not exist).", "errors": []}}',
    _JSON,
)
