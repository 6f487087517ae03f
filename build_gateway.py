"""Build ``libgateway``, the shared library through which a Go gateway runs Python.

CFFI, embedding API, out-of-line API mode. ``libgateway.h`` is the only declaration of the C
interface: this file reads it, ``driver/`` includes it.

``python build_gateway.py`` builds the library into ``tyk_cffi/`` of the checkout;
``pip install .`` does the same for an installation.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
HEADER = HERE / "libgateway.h"
MODULE = "tyk_cffi.libgateway"

# The only code that runs when the interpreter has started. Everything else is ordinary
# Python, which can be tested without a build.
INIT_CODE = "import tyk_cffi.transport.cffi\n"

SOURCE = r"""
#include <stdlib.h>
#include <string.h>
#include "libgateway.h"

/* Accessed from Python as lib.gateway_host. gateway_start sets it once, before any Python
 * code runs. The host owns the table. */
static const host_table *gateway_host;

CFFI_DLLEXPORT int gateway_abi_version(void)
{
    return GATEWAY_ABI_VERSION;
}

static int gateway_reserve(gateway_reply *reply, size_t size)
{
    if (size > reply->capacity) {
        char *data = realloc(reply->data, size);
        if (data == NULL)
            return 0;
        reply->data = data;
        reply->capacity = size;
    }
    return 1;
}

CFFI_DLLEXPORT int gateway_answer(gateway_reply *reply, const char *message, size_t message_len,
                                  const char *body, size_t body_len)
{
    if (message_len > SIZE_MAX - body_len || !gateway_reserve(reply, message_len + body_len))
        return 0;
    if (message_len > 0)
        memcpy(reply->data, message, message_len);
    if (body_len > 0)
        memcpy(reply->data + message_len, body, body_len);
    reply->message_len = message_len;
    reply->body_len = body_len;
    return 1;
}

CFFI_DLLEXPORT void gateway_free(gateway_reply *reply)
{
    free(reply->data);
    memset(reply, 0, sizeof *reply);
}

static int gateway_fail(gateway_reply *reply, const char *what, const char *why)
{
    gateway_answer(reply, what, strlen(what), why, strlen(why));
    reply->message_len += reply->body_len; /* a single text */
    reply->body_len = 0;
    return GATEWAY_START_FAILED;
}

CFFI_DLLEXPORT int gateway_start(const char *executable, const host_table *host,
                                 gateway_reply *reply)
{
    PyConfig config;
    PyStatus status;

    reply->message_len = 0;
    gateway_host = host;
    if (!Py_IsInitialized()) {
        PyConfig_InitPythonConfig(&config);
        config.install_signal_handlers = 0; /* the host handles signals */
        config.parse_argv = 0;
        status = PyConfig_SetBytesString(&config, &config.executable, executable);
        if (!PyStatus_Exception(status))
            status = PyConfig_SetBytesString(&config, &config.program_name, executable);
        if (!PyStatus_Exception(status))
            status = Py_InitializeFromConfig(&config);
        PyConfig_Clear(&config);
        if (PyStatus_Exception(status))
            return gateway_fail(reply, "Python did not start: ",
                                status.err_msg ? status.err_msg : "it asked to exit");
        PyEval_SaveThread(); /* release the GIL; the thread keeps its state */
    }
    if (cffi_start_python() != 0)
        return gateway_fail(reply, "the runtime did not start: ",
                            "its import failed; see the traceback on stderr");
    return GATEWAY_OK;
}
"""


def declarations() -> tuple[str, str]:
    """Split the header into what C implements and what Python implements.

    Returns:
        The text for ``cdef`` (types and C functions) and the text for
        ``embedding_api`` (functions written in Python).
    """
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.S)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    exported = re.findall(r"GATEWAY_PYTHON\s+([^;]+;)", text)
    rest = re.sub(r"GATEWAY_PYTHON\s+[^;]+;", "", text).replace("GATEWAY_C ", "")
    return rest + "\nstatic const host_table *const gateway_host;\nvoid free(void *);\n", "\n".join(
        exported
    )


def make_ffi() -> FFI:
    """Return the configured builder; ``setup.py`` and the command below use it."""
    types, exported = declarations()
    builder = FFI()
    builder.cdef(types)
    builder.embedding_api(exported)
    builder.embedding_init_code(INIT_CODE)
    builder.set_source(
        MODULE,
        SOURCE,
        include_dirs=[str(HERE)],
        # PyConfig is not part of the limited API: one library per CPython minor version.
        py_limited_api=False,
        extra_compile_args=[
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-parameter",
            "-Wno-missing-field-initializers",
            "-Wno-unused-function",
        ],
    )
    return builder


ffi = make_ffi()


def main() -> None:
    """Build the library into the checkout."""
    from setuptools import Distribution

    distribution = Distribution(
        {"name": "tyk_cffi", "cffi_modules": ["build_gateway.py:ffi"], "packages": ["tyk_cffi"]}
    )
    command = distribution.get_command_obj("build_ext")
    command.inplace = True
    command.ensure_finalized()
    command.run()
    for output in command.get_outputs():
        print(output)


if __name__ == "__main__":
    main()
