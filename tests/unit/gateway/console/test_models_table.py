from __future__ import annotations

from gateway.console.models import model_row
from headrace.models import machine
from headrace.models.machine import Slot
from headrace.models.reports import row


def test_a_model_shows_what_runs_what_is_tried_and_what_was_refused() -> None:
    """One row a model."""
    slot = machine.reject(machine.want(Slot("pump", active=1), 2, 1), "no inputs", 2)
    slot = machine.want(slot, 3, 3)
    name, version, state, trying, _, _, refused = model_row(row(slot)).cells
    assert (name, version, trying) == ("pump", "1", "3: downloading")
    assert state == {"text": "good", "tone": "good"}
    assert refused == {"text": "2: no inputs", "title": "2: no inputs"}
