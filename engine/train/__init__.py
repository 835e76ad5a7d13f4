"""From footage to a checkpoint: one loop, one short file per stage."""
