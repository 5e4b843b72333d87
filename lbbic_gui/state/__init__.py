"""What the app remembers: the queue, the settings, the models, coded pictures."""
