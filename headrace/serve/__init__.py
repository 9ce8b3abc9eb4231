"""``headrace serve``: questions by HTTP, read-only.

Reading order:

- ``config``   ``[serve]``: where, for whom, and how much one question may cost
- ``frames``   what a worker and the server say to each other
- ``worker``   a process that answers one question at a time, and may be killed
- ``crew``     the workers of a server
- ``tokens``   who may ask
- ``request``  what is asked, from bodies, query strings and headers
- ``reply``    one question's way from a worker to whoever asked
- ``app``      the paths; ``openapi``: the same for programs and people
- ``service``  the server as a program; ``commands``: its command
"""
