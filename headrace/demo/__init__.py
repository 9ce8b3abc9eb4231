"""The whole system on one machine, with nothing else installed: ``headrace demo``.

Reading order: ``plan`` (which programs with which configuration), ``processes`` (start, watch, stop),
``progress`` (what is shown meanwhile), ``summary`` (what is true at the end), ``run`` (in that order).

``models_plan`` (who), ``models_files`` (their configuration), ``models_days`` (what they measured),
``models_reports`` (what they say) and ``models_story`` are a second demo: three versions of a model on
their way to two sites (``headrace demo-models``).

The programs are the real ones, as processes of their own, with the configuration files that the plan
writes below the data folder: what the demo runs can be run again by hand from there.
"""
