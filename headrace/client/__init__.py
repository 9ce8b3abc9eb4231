"""``headrace.connect``: questions from Python, to a folder or to an endpoint by the same methods.

Reading order:

- ``result``      an answer, as pandas, polars or Arrow
- ``values``      times and parameters as people have them
- ``known``       what there is, where an answer lacks something
- ``connection``  what can be asked
- ``local``       over a data folder, a lake or a configuration, in this process
- ``http``        over an endpoint of ``headrace serve``
- ``opening``     which of the two
"""
