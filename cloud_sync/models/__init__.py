"""Training: from readings of normal running to a model that a gateway can run.

Reading order:

- ``frame``          CSV files to one matrix of features
- ``autoencoder``    a small dense autoencoder in numpy: training and scoring (pure)
- ``tflite_writer``  its weights as a ``.tflite`` graph, without TensorFlow
- ``train``          ``python -m cloud_sync.models.train``: train, check against LiteRT, write
"""
