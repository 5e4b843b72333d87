"""Look, texts and speech of the app."""
