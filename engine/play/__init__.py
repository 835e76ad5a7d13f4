"""The window: a person's keys in, the world's frames out. The only package that knows pygame."""

import os

# pygame greets on standard output when it is first imported; a program of its own name speaks for itself.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

# The network's threads share the cores with the window: one that spins while it waits takes a core from the other, one
# that sleeps wakes late. A short spin is a middle way (docs/log.md has the figures). GNU OpenMP reads this when torch
# is first imported, which play does later, on a thread of its own.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
