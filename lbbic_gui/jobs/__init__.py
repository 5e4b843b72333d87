"""Work outside the window's thread; the only room that imports the engine."""
