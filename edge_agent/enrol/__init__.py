"""``edge-agent enroll``: a key that is made here and stays here, and a certificate for it.

Nothing of this is imported by ``edge-agent run``. Reading order: ``files`` (the folder with key and
certificate), ``request`` (key and certificate request), ``exchange`` (the conversation with the
gateway), ``settings`` (what goes into agent.toml), ``command`` (in this order).
"""
