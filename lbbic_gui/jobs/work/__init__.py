"""The work of jobs, in the workers' threads; it imports the engine inside functions."""
