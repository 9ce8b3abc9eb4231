"""Enrolment: the site's own CA, one-time codes, certificates, and what brokers may let in.

Reading order:

- ``config``     ``[enrol]`` in gateway.toml
- ``files``      keys and certificates on disk
- ``paths``      where they lie
- ``certificates``  what stands in certificates and requests
- ``authority``  the CA's key, and everything that it signs
- ``registry``   codes and certificates in SQLite; what is not in it is not let in
- ``limiter``    how often somebody may guess
- ``desk``       decides who gets a certificate
- ``admission``  what a broker's door asks
- ``server``     the HTTPS endpoint
- ``mosquitto``  configuration, ACL and revocation list of an external broker
- ``expel``      ends the connection of a revoked device there
- ``site``       puts these together; ``gateway/enrolment.py`` makes it from gateway.toml
"""
