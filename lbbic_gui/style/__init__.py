"""How the app looks and speaks."""
