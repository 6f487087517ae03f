"""What pyproject.toml cannot say: the CFFI library, and the header inside the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithHeader(build_py):
    """Puts a copy of libgateway.h beside the library that was made from it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copy("libgateway.h", Path(self.build_lib) / "tyk_cffi")


setup(cffi_modules=["build_gateway.py:ffi"], cmdclass={"build_py": BuildWithHeader})
