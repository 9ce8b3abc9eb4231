"""``gateway doctor``: what stands between this machine and a gateway that works, before it hurts.

Reading order:

- ``finding``   a line of the answer (pure)
- ``machine``   clock, memory, open files
- ``storage``   the data folder: permissions, room, fsync, the journal itself
- ``acks``      what devices wait for, where they wait for the lake
- ``ports``     who listens where
- ``network``   broker, sinks, the running gateway
- ``ways_in``   sources, Sparkplug nodes, names that two have
- ``secrets``   certificates and files with passwords
- ``examine``   all of it, in order
- ``command``   the command
"""
