"""SenML packs (RFC 8428, JSON) written as text, without ever making a float.

Most boards compute with 32-bit floats: seconds since 1970 would be off by a minute, and 23.1 would
travel as 23.100000381. So a reading is an integer with a number of decimals, (231, 1) for 23.1, its
time is in integer microseconds, and both become text digit by digit. What arrives in the lake is the
float64 nearest to what the sensor said, to the bit (tests/wire_vectors checks it).

The first record carries ``stream`` and ``seq``, so the gateway acknowledges and deduplicates.
"""

#: A reading: (name, unit, is the time absolute?, microseconds, mantissa, decimals).
#: A time that is not absolute is relative to the arrival: negative, or 0 for now.


def decimal(mantissa, decimals):
    """The shortest decimal text of mantissa / 10**decimals: (2310, 2) is "23.1"."""
    sign = "-" if mantissa < 0 else ""
    digits = str(abs(mantissa))
    if not decimals:
        return sign + digits
    digits = "0" * (decimals + 1 - len(digits)) + digits
    fraction = digits[-decimals:].rstrip("0")
    return sign + digits[:-decimals] + ("." + fraction if fraction else "")


def quoted(text):
    """A JSON string; names and units are the programmer's, so two escapes and a blank will do."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join([letter if letter >= " " else " " for letter in text]) + '"'


def pack(stream, seq, readings, prefix=""):
    """One SenML pack of readings with consecutive numbers from ``seq``; all absolute, or none."""
    base = readings[0][3] // 1000000 if readings[0][2] else 0
    head = '"bn":%s,' % quoted(prefix) if prefix else ""
    head += '"bt":%d,' % base if base else ""
    head += '"stream":"%s","seq":%d,' % (stream, seq)
    records = []
    for name, unit, _, time_us, mantissa, decimals in readings:
        record = '"n":' + quoted(name)
        if unit:
            record += ',"u":' + quoted(unit)
        offset = time_us - base * 1000000
        if offset:
            record += ',"t":' + decimal(offset, 6)
        records.append("{" + head + record + ',"v":' + decimal(mantissa, decimals) + "}")
        head = ""
    return ("[" + ",".join(records) + "]").encode()
