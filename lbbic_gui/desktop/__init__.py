"""The system around the app: menu entries, file dialogs, files passed by the system."""
