"""Measurements of the engine: one file per bench, one JSON out."""
