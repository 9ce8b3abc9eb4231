"""Models from the signed repository: fetched, tried, switched and rolled back by the gateway itself.

Reading order:

- ``config``    the ``[model_repository]`` table
- ``fit``       whether a manifest suits what devices really send (pure)
- ``report``    steps as readings, the state as a message (pure)
- ``slot``      one model's versions on live readings: active, candidate, the one before
- ``consumer``  all slots behind the journal
- ``requests``  what ``gateway models`` asks a running gateway for
- ``poller``    the thread that looks at the repository and loads what it assigns
- ``mirror``    the verified files, served to agents
- ``assembly``  puts these together for ``app``
- ``cli``       ``gateway models``

The rules themselves (``headrace.models.machine`` and ``gates``) are shared with the agent.
"""

from gateway.models.config import ModelRepositoryConfig, check_repository

__all__ = ["ModelRepositoryConfig", "check_repository"]
