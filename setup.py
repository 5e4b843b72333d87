"""Puts ``resources`` into the wheel as ``lbbic_engine/data``; the rest is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            data = Path(self.build_lib, "lbbic_engine", "data")
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree("resources", data, dirs_exist_ok=True, ignore=ignore)


setup(cmdclass={"build_py": BuildWithData})
