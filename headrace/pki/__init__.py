"""What device and gateway share to enrol a device: no IO, no cryptography package.

Reading order: ``names`` (who a certificate may speak for), ``codes`` (the one-time code and what it
proves), ``messages`` (requests and answers of the enrolment endpoint), ``validity`` (until when a
certificate is good).
"""
