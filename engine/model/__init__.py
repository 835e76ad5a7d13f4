"""The network: codec, generator, memory model, and the one rollout that joins them."""
