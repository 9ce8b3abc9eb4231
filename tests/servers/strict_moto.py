"""moto with the one promise of AWS Glue that commits rest on, and that moto does not keep.

UpdateTable names the version of the table that it changes (``VersionId``). The real service refuses another
than the present one with ConcurrentModificationException; moto takes whatever comes last. Here it refuses, too,
and changes one table at a time.
"""

from __future__ import annotations

import threading
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.glue.responses import GlueResponse
from moto.server import main

_plain = GlueResponse.update_table
_one_at_a_time = threading.Lock()


def _update_table(self: Any) -> Any:
    asked = self.parameters
    with _one_at_a_time:
        table = self.glue_backend.get_table(asked["DatabaseName"], asked["TableInput"]["Name"])
        present = str(table.as_dict()["VersionId"])
        if asked.get("VersionId", present) != present:
            raise JsonRESTError(
                "ConcurrentModificationException",
                f"expected version {present}, got {asked['VersionId']}",
            )
        return _plain(self)


GlueResponse.update_table = _update_table  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
