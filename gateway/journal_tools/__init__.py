"""``gateway journal``: looking at the journal from outside, while the gateway runs or not.

Reading order:

- ``stat``      what it holds, who reads it, what devices lack
- ``choice``    which readings are wanted: device, name, time (pure)
- ``tail``      readings as they come
- ``verify``    whether all of it is what was written
- ``export``    a part of it as a file
- ``commands``  the commands
"""
