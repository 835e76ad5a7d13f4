"""Before any test imports torch: threads that wait must not spin, or tests on busy cores hang one another."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
