"""The system around the app: menu entries, file dialogs, files handed over."""
