"""Footage and recordings: how play becomes files, and files become training data."""
