"""What pyproject.toml cannot say: the CFFI library, and the header inside the package."""

import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithHeader(build_py):
    """Puts libgateway.h beside the library made from it, and the Go side into the package.

    ``tyk-cffi tyk`` builds Tyk with the latter; the folders lie to each other as here.
    Go overlooks folders whose name begins with an underscore, here in build/ above all.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib) / "tyk_cffi"
        shutil.copy("libgateway.h", package)
        shutil.rmtree(package / "_go", ignore_errors=True)
        for pattern in ("libgateway.h", "driver/go.mod", "driver/*.go", "integrations/tyk/*.go"):
            for file in Path().glob(pattern):
                if not file.name.endswith("_test.go"):
                    target = package / "_go" / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, target)


if sysconfig.get_config_var("Py_GIL_DISABLED") == 1:
    sys.exit("tyk-cffi needs a Python with the GIL: protobuf does not support free-threaded builds")

setup(cffi_modules=["build_gateway.py:ffi"], cmdclass={"build_py": BuildWithHeader})
