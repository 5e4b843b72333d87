"""What the jobs do, in the threads of workers: it imports the engine, inside functions."""
