"""Run by the agent image's python: uses of each library from which files were taken."""

import sqlite3
import ssl

import nanoarrow as na
import paho.mqtt
import psutil
import zstandard
from apscheduler.schedulers.background import BackgroundScheduler
from cryptography.hazmat.primitives.asymmetric import ec
from everything import load_modules
from sqlite_utils import Database

import edge_agent

assert load_modules(edge_agent, without={"numpy", "securesystemslib", "tuf", "urllib3"}) > 50
assert all((BackgroundScheduler, Database))
assert len(na.Array([1.0, 2.0], na.float64())) == 2
assert zstandard.decompress(zstandard.compress(b"readings")) == b"readings"
assert ec.generate_private_key(ec.SECP256R1()).key_size == 256
assert psutil.cpu_count()
assert ssl.create_default_context().get_ca_certs()
print("paho", paho.mqtt.__version__, "sqlite", sqlite3.sqlite_version)
