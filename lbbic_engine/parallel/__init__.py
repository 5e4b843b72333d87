"""Work on many cores: a pool of processes, and how many there may be."""
