"""Work for many cores: how many workers there may be, a pool of them, tasks through an Executor."""
