"""Edge inference: a consumer that scores what devices send with small LiteRT models.

Reading order:

- ``config``    the ``[[models]]`` tables
- ``pivot``     readings in columns to feature rows (pure)
- ``pending``   times that wait for a feature, bounded (pure)
- ``consumer``  batches in, scores out
- ``models/``   the models that come with Headrace
"""

from gateway.inference.config import SHIPPED_MODELS, ModelConfig, check_models

__all__ = ["SHIPPED_MODELS", "ModelConfig", "check_models"]
