"""The window around the picture: menus, bars, dialogs."""
