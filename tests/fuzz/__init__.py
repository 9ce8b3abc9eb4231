"""Fuzzing of the codecs: whatever arrives is columns that keep the contract, or a ``PayloadError``.

``targets`` says what must hold for any bytes; ``make fuzz`` looks for bytes for which it does not
(atheris, guided by coverage), and ``tests/property/test_codecs_any_bytes.py`` tries some in every test run.
"""

# Here, because the codecs themselves must not be imported before they are instrumented.
CODECS = ("arrow", "line", "senml-json", "senml-cbor", "senml-json+many", "sparkplug")
