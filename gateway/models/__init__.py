"""Models from the signed repository: fetched, tried, switched and rolled back by the gateway itself.

Reading order:

- ``config``    the ``[model_repository]`` table
- ``report``    steps as readings (pure)
- ``lane``      a version's view of the gateway's readings
- ``consumer``  all models behind the journal
- ``mirror``    the verified files, served to agents
- ``nudges``    a publisher's hint that there is something new; ``tokens`` its secret
- ``teller``    what devices are told, and what is said of them
- ``assembly``  puts these together for ``app``

What is not about a gateway is shared with the agent: machine, gates, poller, requests, live lanes
(``headrace.models``). The commands are ``gateway.commands.models``.
"""

from gateway.models.config import ModelRepositoryConfig, check_repository

__all__ = ["ModelRepositoryConfig", "check_repository"]
