"""The rooms of each package, from the ground up: a module imports its own room and those below it.

``tests/test_architecture.py`` enforces it; ``architecture.py`` draws it. A room
is a folder, or single modules that lie at the top of their package.
"""

ROOMS = {
    "lbbic_engine": {
        "ground": ("config", "devices", "errors", "resources"),
        "parallel": (),
        "layout": (),
        "bitstream": (),
        "pictures": (),
        "networks": (),
        "coding": (),
        "face": ("codec", "imageio_plugin", "pillow_plugin", "previews"),
        "measure": (),
        "batch": (),
        "bench": (),
        "cli": (),
    },
    "lbbic_gui": {
        "style": (),
        "jobs": (),
        "state": (),
        "painting": (),
        "desktop": (),
        "session": (),
        "panels": (),
        "queue": (),
        "viewer": (),
        "dialogs": (),
        "shell": (),
        "app": ("app",),
    },
    "training": {
        "shared": (),
        "simulation": (),
        "initialisation": (),
        "optimise": (),
        "export": (),
        "refinement": (),
        "paper": (),
        "experiments": (),
        "commands": ("__main__", "kinds"),
    },
}
