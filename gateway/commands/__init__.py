"""Commands of ``gateway`` that are more than a call; ``gateway/cli.py`` puts them together.

Reading order: ``options`` (what many take), ``enrol``, ``models``, ``token``, ``gaps``.
"""
