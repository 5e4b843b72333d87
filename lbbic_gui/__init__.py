"""The desktop app. Only ``jobs`` imports the engine; ``app`` starts the app."""
