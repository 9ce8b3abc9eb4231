"""Models on their way from the cloud to where they run: the contract of publisher and runner.

cloud_sync publishes into a repository signed after The Update Framework (TUF); gateways and agents
take from it what its signatures cover, and nothing else.

Reading order:

- ``manifest``    what one version of a model is: files, features, lineage, golden vectors
- ``formats``     what a graph's bytes are, by their structure
- ``repository``  the repository's layout, and which version is wanted where
- ``sources``     where bytes come from: a folder, HTTP(S), an object store; bounded in size and time
- ``files``       files that are whole or not there
- ``floor``       the earliest time that it can be, kept over restarts
- ``golden``      whether a runtime gives the scores that training gave
- ``machine``     what runs under one name, and how a new version gets there (pure)
- ``evidence``    what a version did; ``gates`` what it must keep to (pure)
- ``store``       the machine's state on disk
- ``sandbox``     a model in a process of its own; ``worker`` is that process, ``runtime`` its engines,
  ``parent`` what ends it with its program
- ``run``         one version at work; ``lanes`` its view of readings; ``live`` the versions of one model
- ``fit``         whether a manifest suits what is measured here (pure)
- ``reports``     what a place says of its models (pure)
- ``requests``    what a command asks a running program for; ``nudge`` what a publisher asks a gateway
- ``place``       where models run, and how the last look at the repository went
- ``bring``       brings versions up to shadow; ``poller`` is the thread that looks at the repository
- ``trust``       metadata as far as it is signed; ``mirror`` the copy that others may read
- ``client``      refresh and fetch, verified; ``remote`` and ``fetch`` are that in a process of its own

``client``, ``trust`` and ``mirror`` need python-tuf (the extra ``agent-inference`` or ``gateway``); only ``worker`` and ``runtime``
need numpy and an engine, so that an agent can run models without having either in its own process.
"""
