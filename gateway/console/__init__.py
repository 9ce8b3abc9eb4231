"""The console: one page that shows what this gateway knows at present.

It reads ``Live`` and ``Status`` and changes nothing. NiceGUI is imported in this package and nowhere
else, because a gateway without a console saves its 25 MB.
Why NiceGUI: docs/decisions/0006.

Reading order:

- ``picture``     the present, worked out once a second for all viewers
- ``format``      ages, counts and values as people read them
- ``selection``   which devices and series a viewer has on the chart
- ``table``       a table that is sent its changes only (``table.js`` in the browser)
- ``header``, ``alerts``, ``devices``, ``chart`` (``chart.js``), ``models``, ``notices``   the parts of the page
- ``page``        puts them together; ``console.css``: how it looks
"""

from gateway.console.page import mount

__all__ = ["mount"]
