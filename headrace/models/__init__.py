"""Models on their way from the cloud to where they run: the contract of publisher and runner.

cloud_sync publishes into a repository signed after The Update Framework (TUF); gateways and agents
take from it what its signatures cover, and nothing else.

Reading order:

- ``manifest``    what one version of a model is: files, features, lineage, golden vectors
- ``repository``  the repository's layout, and which version is wanted where
- ``sources``     where bytes come from: a folder, HTTP(S), an object store; bounded in size and time
- ``files``       files that are whole or not there
- ``floor``       the earliest time that it can be, kept over restarts
- ``client``      refresh and fetch, verified; the local copy and the mirror for others

``client`` needs python-tuf (the extra ``agent-inference`` or ``gateway``); nothing here needs numpy.
"""
