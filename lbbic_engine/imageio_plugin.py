"""``.lbb`` files in imageio: after ``register()``, ``imread`` and ``imwrite`` know them.

imageio reads and writes them with its plugin for Pillow, which takes ``pillow_plugin``'s options.
"""

from __future__ import annotations

from imageio.config.extensions import FileExtension, extension_list, known_extensions

from lbbic_engine import pillow_plugin

_SUFFIX = ".lbb"


def register() -> None:
    """Make the format known to imageio and to Pillow; calling it again does no harm."""
    pillow_plugin.register()
    if _SUFFIX not in known_extensions:
        extension = FileExtension(extension=_SUFFIX, priority=["pillow"], name="LBBIC picture")
        extension_list.append(extension)
        known_extensions[_SUFFIX] = [extension]
