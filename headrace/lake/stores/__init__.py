"""Object stores beyond a local folder; each is a file of its own, imported only where it is named.

Reading order:

- ``kind``   what the lake needs of a kind of store
- ``s3``     S3 and its like, through boto3; ``s3_uploads``: large objects in parts
- ``gcs``    Google Cloud Storage, through google-cloud-storage
- ``azure``  Azure Blob Storage, through azure-storage-blob
- ``hdfs``   the Hadoop file system, through hdfs-native (no Java)
"""
