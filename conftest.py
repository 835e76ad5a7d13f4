"""Before any test imports torch: one thread, as products as small as the tests' only wait for one another in several.

Threads that wait must not spin either, or tests that ask for several hang one another on busy cores.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
