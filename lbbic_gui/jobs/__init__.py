"""Work off the window's thread, and the one door to the engine."""
