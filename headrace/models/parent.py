"""Ends a helper process whose program is gone: after a SIGKILL nobody else would."""

from __future__ import annotations

import os
import threading
import time
from typing import Final

#: Seconds between two looks whether the program that started this one is still there.
_LOOK_S: Final = 1.0


def die_with_parent() -> None:
    """From now on this process does not outlive the one that started it by more than a second."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
