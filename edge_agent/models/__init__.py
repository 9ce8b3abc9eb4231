"""Models at the device: the same rules as at a gateway, on this device's own readings.

Reading order:

- ``config``  the ``[models]`` table
- ``lane``    a version's view of the readings: runs in, scores out
- ``input``   the input that scores what the others read
- ``tap``     how it gets to see that
- ``desk``    what the models say on MQTT and hear there

The agent's process carries neither numpy nor a runtime nor TUF: models run in processes of their own
(``headrace.models.sandbox``) and looks at the repository are processes of a second
(``headrace.models.remote``). Both come with the extra ``agent-inference``.
"""

from edge_agent.models.config import ModelsSettings, check_models

__all__ = ["ModelsSettings", "check_models"]
