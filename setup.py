"""The parts of the build that pyproject.toml cannot express: the CFFI library and data files."""

import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithHeader(build_py):
    """Adds libgateway.h and the Go sources to the package.

    ``tyk-cffi tyk`` builds Tyk with the Go sources, which keep their relative paths. Go ignores
    folders whose name begins with an underscore, so it does not find the copy in build/.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib) / "tyk_cffi"
        shutil.copy("libgateway.h", package)
        shutil.rmtree(package / "_go", ignore_errors=True)
        for pattern in ("libgateway.h", "driver/go.mod", "driver/**/*.go", "integrations/tyk/*.go"):
            for file in Path().glob(pattern):
                if not file.name.endswith("_test.go") and "wiretest" not in file.parts:
                    target = package / "_go" / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, target)


if sysconfig.get_config_var("Py_GIL_DISABLED") == 1:
    sys.exit("tyk-cffi needs a Python with the GIL: protobuf does not support free-threaded builds")

setup(cffi_modules=["build_gateway.py:ffi"], cmdclass={"build_py": BuildWithHeader})
