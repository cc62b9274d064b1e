from __future__ import annotations

import os

# Threads that wait for each other spin, by default: with more processes than cores, a third of the whole time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
