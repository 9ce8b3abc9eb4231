"""``edge-agent enroll``: a key that is made here and stays here, and a certificate for it.

Reading order: ``files`` (the folder with key and certificate), ``request`` (key and certificate
request), ``exchange`` (the conversation with the gateway), ``settings`` (what goes into agent.toml),
``command`` (in this order); ``plan`` (when to renew) and ``renewal`` (the running agent does). Of these
``edge-agent run`` imports the last two and ``files``; the others run in a process of their own.
"""
