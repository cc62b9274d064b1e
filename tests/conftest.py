from __future__ import annotations

import os

# Threads that wait for each other spin, by default: with more processes than cores, a third of the whole time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# What tests speak to is on this machine, without TLS. Each of their clients, and there are thousands, would begin with
# reading the certificates of all the web, for 40 ms. Those of a folder are read when they are asked for.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = "/nowhere"
