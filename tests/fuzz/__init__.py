"""Fuzzing of codecs and the HTTP ingest: whatever arrives is taken as a whole, or refused with a reason.

``targets`` (codecs) and ``http`` say what must hold for any bytes; ``make fuzz`` looks for bytes for which it
does not (atheris, guided by coverage), and ``tests/property/test_codecs_any_bytes.py`` tries some in every test
run.
"""

# Here, because the codecs themselves must not be imported before they are instrumented.
CODECS = ("arrow", "line", "senml-json", "senml-cbor", "senml-json+many", "sparkplug")
HTTP = ("http", "http-request")
