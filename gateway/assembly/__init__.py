"""Makes the parts of a gateway and connects them; starts nothing (``app`` does).

Reading order:

- ``common``     what many parts share
- ``ways_in``    broker, sources, HTTP
- ``path``       the journal and the steps around it
- ``consumers``  everyone who reads the journal, and what looks at all of them
- ``parts``      all of it, in the order in which it is needed
"""

from gateway.assembly.consumers import CONSUMERS, makers
from gateway.assembly.parts import Parts, assemble

__all__ = ["CONSUMERS", "Parts", "assemble", "makers"]
