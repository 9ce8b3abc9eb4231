"""``make bench``: the whole path, measured and printed. Nothing here asserts anything about time."""
