from __future__ import annotations

from headrace.models.fit import judge
from tests import graphs
from tests.model_repository import packed

MANIFEST = packed(graphs.good(), features=(("a", "Pa"), ("b", "Cel"))).manifest


def test_a_model_fits_where_one_device_has_all_inputs() -> None:
    """Other devices may lack them."""
    assert judge(MANIFEST, {"d1": {"a": "Pa", "b": "Cel"}, "d2": {"x": ""}}).fits


def test_a_device_that_does_not_say_its_units_is_believed() -> None:
    """Line protocol has none."""
    assert judge(MANIFEST, {"d1": {"a": "", "b": ""}}).fits


def test_a_unit_that_differs_is_wrong_for_good() -> None:
    """Bar instead of pascal scores nonsense."""
    found = judge(MANIFEST, {"d1": {"a": "bar", "b": "Cel"}})
    assert not found.fits
    assert "d1 sends a in bar, the model expects Pa" in found.wrong


def test_inputs_that_nobody_sends_are_named() -> None:
    """A manifest that lies, or a site without that sensor."""
    found = judge(MANIFEST, {"d1": {"a": "Pa"}})
    assert (found.fits, found.wrong, found.missing) == (False, "", "no device sends b")


def test_inputs_spread_over_devices_do_not_make_a_row() -> None:
    """A row is of one device."""
    assert not judge(MANIFEST, {"d1": {"a": "Pa"}, "d2": {"b": "Cel"}}).fits


def test_a_prefix_stands_before_every_input() -> None:
    """As in the slot's configuration."""
    assert judge(MANIFEST, {"d1": {"p.a": "Pa", "p.b": "Cel"}}, prefix="p.").fits
