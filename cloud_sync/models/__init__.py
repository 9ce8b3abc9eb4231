"""Models in the cloud: training, signing, and saying what runs where.

Reading order:

- ``frame``          CSV files to one matrix of features
- ``lake_frame``     readings of the lake to such a matrix, with the lineage that finds them again
- ``autoencoder``    a small dense autoencoder in numpy: training and scoring (pure)
- ``t2q``            principal components: Hotelling's T² and Q (pure)
- ``tflite_writer``  both as ``.tflite`` graphs, without TensorFlow
- ``recipes``        the table of ways to make a model
- ``train``          rows to a model's folder: threshold, golden vectors, check against LiteRT
- ``wrapping``       a graph of another tool to such a folder
- ``package``        the folder, read and checked as a runner will check it
- ``keys``           signing keys in files
- ``state``          the signed repository (TUF) as its publisher reads it, verified
- ``editor``         changing it in one visible step
- ``releases``       publish, promote, revoke, list
- ``options``        the options that commands share
- ``making``, ``key_commands``, ``commands``  ``cloud-sync models …``
"""
