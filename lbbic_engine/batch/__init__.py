"""Many files at a time, on all cores."""
