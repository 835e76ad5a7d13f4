"""The window: a person's keys in, the world's frames out. The only package that knows pygame."""

import os

# pygame greets on standard output when it is first imported; a program of its own name speaks for itself.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
