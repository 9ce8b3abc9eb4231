"""Random SIGKILLs over everything that brings readings into the lake: `make kills`.

Processes land, register and maintain, sometimes two at a time, and each is killed at a moment drawn at
random. In the end the lake is compared with what was put into the journal, reading by reading.

- ``zygote``   forks the commands, so that the second of their imports is paid once
- ``input``    a journal that grows, and what went into it
- ``torture``  rounds of commands and kills, and the comparison
"""
