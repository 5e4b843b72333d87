"""The desktop app. It knows the engine through ``jobs`` alone; ``app`` starts it."""
