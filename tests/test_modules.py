"""Plugin modules are found in all the ways in which Python code finds modules."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import sysconfig
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from support.source import Source

from tyk_cffi import files
from tyk_cffi.errors import LoadError
from tyk_cffi.proto.coprocess_object_pb2 import Object

DIRECTORY = "d41d8cd98f00b204e9800998ecf8427e"
HOOK = "from tyk.decorators import *\n@Pre\ndef hook(request, session, spec):\n"
ADD_RESULT = "    request.add_header('result', str({}))\n"


def run_hook(source: Source, name: str = "hook") -> str:
    """Run the hook and return the one header that it adds."""
    out, _ = source.bind(name).run(b"")
    return Object.FromString(out).request.set_headers["result"]


def evaluate(source: Source, head: str, expression: str, name: str = "middleware.py") -> str:
    """Load a plugin whose hook evaluates an expression, and return the value."""
    source.write(name, head + "\n" + HOOK + ADD_RESULT.format(expression))
    loaded = source.load(entry="middleware")
    assert loaded["failures"] == {}
    return run_hook(source)


WAYS = {
    "import_module": ("import importlib", "importlib.import_module('acme.core').VALUE"),
    "import_module relative": (
        "import importlib",
        "importlib.import_module('.core', 'acme').VALUE",
    ),
    "__import__": ("", "__import__('acme.core').core.VALUE"),
    "find_spec": ("import importlib.util as u", "u.find_spec('acme.core').origin[-12:]"),
    "resources": (
        "from importlib.resources import files",
        "files('acme').joinpath('data.txt').read_text()",
    ),
    "resources of the module": (
        "import importlib.resources, acme",
        "importlib.resources.files(acme).joinpath('data.txt').read_text()",
    ),
    "get_data": ("import pkgutil", "pkgutil.get_data('acme', 'data.txt').decode()"),
    "get_data by own name": (
        "import pkgutil, acme",
        "pkgutil.get_data(acme.__name__, 'data.txt').decode()",
    ),
    "resolve_name": ("import pkgutil", "pkgutil.resolve_name('acme.core:VALUE')"),
    "walk_packages": (
        "import pkgutil, acme",
        "[m.name for m in pkgutil.walk_packages(acme.__path__, 'acme.')]",
    ),
    "mock.patch": (
        "from unittest import mock\nimport acme.core\ndef patched():\n"
        "    with mock.patch('acme.core.VALUE', 'patched'): return acme.core.VALUE\n",
        "patched()",
    ),
    "metadata": ("import importlib.metadata as m", "m.version('acme')"),
    "type hints": (
        "import typing, acme.core",
        "typing.get_type_hints(acme.core.Point)['x'].__name__",
    ),
    "source": ("import inspect, acme.core", "inspect.getsource(acme.core.Point).split()[1]"),
}
ANSWERS = {
    "find_spec": "acme/core.py",
    "resources": "data",
    "resources of the module": "data",
    "get_data": "data",
    "get_data by own name": "data",
    "walk_packages": "['acme.core']",
    "mock.patch": "patched",
    "metadata": "7.5",
    "type hints": "Later",
    "source": "class",
}


def acme(source: Source, value: str = "core") -> None:
    """Write a package with a data file and metadata."""
    source.write("acme/__init__.py", "")
    source.write(
        "acme/core.py",
        f"from __future__ import annotations\nimport dataclasses\nVALUE = {value!r}\n"
        "@dataclasses.dataclass\nclass Point:\n    x: Later\n\nclass Later: pass\n",
    )
    source.write("acme/data.txt", "data")
    source.write("acme-7.5.dist-info/METADATA", "Metadata-Version: 2.1\nName: acme\nVersion: 7.5\n")


@pytest.mark.parametrize("way", WAYS)
def test_a_vendored_package_is_found_by_its_name(source: Source, way: str) -> None:
    """As if installed: at load, in calls and after a reload."""
    acme(source)
    head, expression = WAYS[way]
    expected = ANSWERS.get(way, "core")
    assert (
        evaluate(source, f"{head}\nAT_LOAD = {expression}", f"(AT_LOAD, {expression})[1]")
        == expected
    )
    assert (
        evaluate(source, f"{head}\nAT_LOAD = {expression}", f"(AT_LOAD, {expression})[0]")
        == expected
    )


def test_copies_of_a_package_in_two_sources_are_isolated(
    source: Source, new_source: Callable[[str], Source]
) -> None:
    """However they are imported."""
    other = new_source("other")
    other.transport = source.transport
    head = "import importlib, pkgutil, acme.core"
    expression = "[importlib.import_module('acme.core').VALUE, acme.core.VALUE, pkgutil.resolve_name('acme.core:VALUE'), acme.core.__name__]"
    for each in (source, other):
        acme(each, each.key)
        evaluate(each, head, expression)
    for each in (source, other):
        assert run_hook(each) == str([each.key] * 3 + [f"tyk_plugins.s_{each.key}.acme.core"])


def test_a_package_that_is_installed_too_is_the_sources_own(source: Source) -> None:
    """Its own code imports its copy, all other code the installed one."""
    import hypothesis

    source.write("hypothesis/__init__.py", "VALUE = 'vendored'\n")
    head = "import importlib, hypothesis"
    expression = "[hypothesis.VALUE, importlib.import_module('hypothesis').VALUE]"
    assert evaluate(source, head, expression) == "['vendored', 'vendored']"
    assert sys.modules["hypothesis"] is hypothesis


def test_a_module_named_like_one_of_the_standard_library_harms_nobody_else(source: Source) -> None:
    """The source imports its own module, the library still its own."""
    source.write("json.py", "VALUE = 'own'\n")
    assert evaluate(source, "import json, logging.config", "json.VALUE") == "own"
    assert json.loads("[1]") == [1]


def test_class_paths_in_logging_configuration_are_found(source: Source) -> None:
    """``dictConfig`` finds handlers and factories of the plugin."""
    source.write("handlers.py", "import logging\nclass Mine(logging.NullHandler): pass\n")
    config = "{'version': 1, 'disable_existing_loggers': False, 'handlers': {'a': {'class': 'handlers.Mine'}, 'b': {'()': 'handlers.Mine'}}}"
    head = f"import logging, logging.config\nlogging.config.dictConfig({config})"
    assert (
        evaluate(
            source,
            head,
            "logging.getHandlerByName('a').__class__.__name__ if hasattr(logging, 'getHandlerByName') else 'Mine'",
        )
        == "Mine"
    )


SHOP = """
import collections, dataclasses, enum, typing

@dataclasses.dataclass
class Order:
    number: int

class Color(enum.Enum):
    RED = 1

Pair = collections.namedtuple("Pair", "a b")

class Row(typing.NamedTuple):
    a: int

def function(): ...

ALL = [Order(1), Color.RED, Pair(1, 2), Row(1), function]
"""


def test_pickles_made_before_a_reload_load_after_it(source: Source, tmp_path: Path) -> None:
    """Classes, enumerations, named tuples and functions, in all pickle protocols."""
    source.write("shop.py", SHOP)
    file = tmp_path / "pickles"
    path = f"__import__('pathlib').Path({str(file)!r})"
    save = f"{path}.write_bytes(pickle.dumps([pickle.dumps(shop.ALL, p) for p in range(6)]))"
    load = f"[pickle.loads(p)[:4] == shop.ALL[:4] for p in pickle.loads({path}.read_bytes())]"
    evaluate(source, "import pickle, shop", save)
    assert evaluate(source, "import pickle, shop # again", load) == str([True] * 6)


def test_pickles_that_name_a_sibling_as_a_script_does_are_read(source: Source) -> None:
    """For instance a model trained elsewhere; with the C and the Python unpickler."""
    source.write("shop.py", SHOP)
    pickled = b"\x80\x03cshop\nOrder\n)\x81}X\x06\x00\x00\x00numberK\x05sb."
    head = f"import pickle, shop\nPICKLE = {pickled!r}"
    assert (
        evaluate(
            source, head, "[pickle.loads(PICKLE), pickle._loads(PICKLE)] == [shop.Order(5)] * 2"
        )
        == "True"
    )
    with pytest.raises(ModuleNotFoundError):
        __import__("no_such_shop")


def test_an_old_call_pickles_classes_of_its_own_version(source: Source) -> None:
    """While the new version is being loaded, and afterwards."""
    source.write("shop.py", SHOP)
    source.write(
        "middleware.py",
        "import pickle, shop\n"
        + HOOK
        + ADD_RESULT.format("len(pickle.loads(pickle.dumps(shop.ALL)))"),
    )
    source.load(entry="middleware")
    old = source.bind().binding.handler
    source.write("shop.py", SHOP + "NEW = 1\n")
    source.load(entry="middleware")
    assert old is not None
    module = sys.modules["tyk_plugins.s_key.shop"]
    assert vars(module)["NEW"] == 1  # others see the new version
    assert run_hook(source) == "5"

    class Request:
        def add_header(self, name: str, value: str) -> None:
            self.value = value

    request = Request()
    old.function(request, None, None)
    assert request.value == "5"


def test_a_module_finds_itself_in_sys_modules_while_it_is_loaded(source: Source) -> None:
    """It finds the new module even if there is an old one, and may replace itself."""
    source.write(
        "lazy.py",
        "import sys\nclass Lazy:\n    VALUE = 'replaced'\nsys.modules[__name__] = Lazy()\n",
    )
    head = "import sys, lazy\nsetattr(sys.modules[__name__], 'SET', {})\nfrom lazy import VALUE"
    for value in ("'one'", "'two'"):
        assert evaluate(source, head.format(value), "(SET, VALUE, lazy.VALUE)") == str(
            (value[1:-1], "replaced", "replaced")
        )


def test_modules_know_what_they_are(source: Source) -> None:
    """Name, package, spec, file and loader are set; ``__getattr__`` of modules works."""
    source.write("pkg/__init__.py", "def __getattr__(name): return name.upper()\n")
    names = "__name__, __package__, __spec__.name, __file__.rpartition('/')[2], __spec__.parent"
    assert evaluate(source, "import pkg", f"[{names}, pkg.lazy, pkg.__package__]") == str(
        [
            *["tyk_plugins.s_key.middleware", "tyk_plugins.s_key", "tyk_plugins.s_key.middleware"],
            *["middleware.py", "tyk_plugins.s_key", "LAZY", "tyk_plugins.s_key.pkg"],
        ]
    )


def test_a_module_can_be_reloaded_by_its_plugin(source: Source) -> None:
    """``importlib.reload`` runs the current code of the file."""
    source.write("sibling.py", "VALUE = 1\n")
    head = """
import importlib, pathlib, sibling
pathlib.Path(sibling.__file__).write_text("VALUE = 2")
SAME = importlib.reload(sibling) is sibling
"""
    assert evaluate(source, head, "(SAME, sibling.VALUE)") == "(True, 2)"


def test_an_environment_in_the_folder_stays_on_sys_path(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries from before the first plugin do not belong to a source."""
    entry = str(source.path / "venv" / "site-packages")
    monkeypatch.setattr("tyk_cffi.version._INITIAL_SYS_PATH", frozenset([entry]))
    monkeypatch.syspath_prepend(entry)
    assert evaluate(source, "import sys", f"{entry!r} in sys.path") == "True"


def test_the_package_of_sources_has_them_as_attributes(source: Source) -> None:
    """Other names raise ``AttributeError``."""
    import tyk_plugins

    source.write("middleware.py", HOOK + "    pass\n")
    source.load()
    assert tyk_plugins.s_key.middleware.hook.__name__ == "hook"
    assert not hasattr(tyk_plugins, "absent")


def test_a_missing_module_has_the_name_that_the_plugin_wrote(source: Source) -> None:
    """``ModuleNotFoundError.name`` is the name in the import statement."""
    head = """
try:
    import absent
except ModuleNotFoundError as error:
    absent = error.name
import acme
try:
    from acme import nothing
except ImportError as error:
    nothing = type(error).__name__
try:
    import acme.nothing
except ModuleNotFoundError as error:
    dotted = str(error)
"""
    acme(source)
    assert evaluate(source, head, "[absent, nothing, dotted]") == str(
        ["absent", "ImportError", "No module named 'acme.nothing'"]
    )


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_child_processes_import_the_plugin(source: Source, method: str) -> None:
    """Including siblings by plain name, and sources loaded after the fork server started."""
    source.key = DIRECTORY
    source.write("sibling.py", "FACTOR = 3\n")
    source.write(
        "auth_v1.2.py",
        "import multiprocessing, sibling\n"
        "def work(x): import sibling; return x * sibling.FACTOR\n"
        + HOOK
        + f"    with multiprocessing.get_context({method!r}).Pool(1) as pool:\n"
        "        request.add_header('result', str(pool.map(work, [2, 3])))\n",
    )
    assert source.load(entry="auth_v1.2.py")["failures"] == {}
    assert run_hook(source) == "[6, 9]"


def test_child_processes_search_the_folder_of_the_entry_module(source: Source) -> None:
    """As the gateway does."""
    source.write("src/helper.py", "def work(x): return x + 1\n")
    source.write(
        "src/mw.py",
        "import multiprocessing, helper\nfrom . import helper as same_file\n"
        "def work(x): return helper.work(x)\n"
        + HOOK
        + "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        request.add_header('result', str(pool.map(work, [2, 3])))\n",
    )
    assert source.load(entry="src/mw.py")["failures"] == {}
    assert run_hook(source) == "[3, 4]"


@pytest.mark.parametrize("entry", ["../outside.py", "/outside.py", "a/../../outside.py"])
def test_an_entry_file_lies_in_the_folder(source: Source, entry: str) -> None:
    """The name comes from a manifest, which may be hostile."""
    (source.path.parent / "outside.py").write_text("raise AssertionError\n")
    assert "is not a file in" in source.load(entry=entry)["failures"][entry]


def test_a_program_that_a_plugin_starts_imports_it(source: Source) -> None:
    """By its importable name; the gateway's services are not available."""
    source.key = "0123456789abcdef0123456789abcdef"
    source.path = source.path.parent / "bundles" / source.key
    source.write("shop.py", "from gateway import TykGateway\n" + SHOP)
    source.write("middleware.py", HOOK + "    pass\n")
    source.load(entry="middleware")
    code = f"import tyk_plugins.b{source.key}.shop as shop; print(shop.ALL[0]); shop.TykGateway.get_data('a')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Order(number=1)" in run.stdout
    assert "NoGatewayError" in run.stderr


def test_a_module_of_a_source_can_be_run_as_a_program(source: Source) -> None:
    """It imports its siblings by their plain names there too."""
    source.write("shop.py", "NAME = 'shop'\n")
    source.write("job.py", "import shop\nif __name__ == '__main__': print(shop.NAME)\n")
    source.write("middleware.py", HOOK + "    pass\n")
    source.load(entry="middleware")
    command = [sys.executable, "-m", f"tyk_plugins.{files.package_name(source.key)}.job"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("shop\n", "")


RUNS_A_FILE = {
    "spec_from_file_location": "import importlib.util as u\n"
    "spec = u.spec_from_file_location('extra', PATH)\n"
    "extra = u.module_from_spec(spec)\nspec.loader.exec_module(extra)\nVALUE = extra.VALUE\n",
    "run_path": "import runpy\nVALUE = runpy.run_path(PATH)['VALUE']\n",
    "run_module": "import runpy\nVALUE = runpy.run_module(__name__.rpartition('.')[0] + '.alone')['VALUE']\n",
}


@pytest.mark.parametrize("way", RUNS_A_FILE)
def test_a_file_that_a_plugin_runs_itself_imports_as_its_modules_do(
    source: Source, way: str
) -> None:
    """Plug-ins of a plugin are often found by their path."""
    source.write("sibling.py", "import core\nVALUE = core.VALUE\n")
    source.write("alone.py", "import core\nVALUE = core.VALUE\n")
    source.write("core.py", "VALUE = 'core'\n")
    source.write("extra-1.0/run me.py", "import sibling\nVALUE = sibling.VALUE\n")
    head = "import os\nPATH = os.path.join(os.path.dirname(__file__), 'extra-1.0', 'run me.py')\n"
    assert evaluate(source, head + RUNS_A_FILE[way], "VALUE") == "core"


def test_hooks_in_a_file_that_a_plugin_runs_itself_are_there(source: Source) -> None:
    """They were decorated in the source."""
    source.write("hooks/one.hook.py", HOOK + ADD_RESULT.format("'it'"))
    head = "import os\nPATH = os.path.join(os.path.dirname(__file__), 'hooks', 'one.hook.py')\n"
    source.write(
        "middleware.py", head + RUNS_A_FILE["spec_from_file_location"].rpartition("VALUE =")[0]
    )
    source.load(entry="middleware")
    assert run_hook(source) == "it"


def test_the_environment_does_not_grow_with_the_number_of_bundles(tmp_path: Path) -> None:
    """A process cannot start with an environment variable above 128 KiB."""
    source = Source(tmp_path / "none")
    for number in range(50):
        key = f"{number:032x}"
        one = Source(tmp_path / "bundles" / key, key, source.transport)
        one.load()
    assert os.environ["TYK_CFFI_SOURCES"].count("0000000000000000") < 10


def test_folders_on_sys_path_belong_to_the_source_that_adds_them(
    source: Source, new_source: Callable[[str], Source]
) -> None:
    """Two bundles with a vendor folder each; changes in it are picked up."""
    other = new_source("other")
    other.transport = source.transport
    before = list(sys.path)
    head = "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'vendor-libs'))\nimport vendored"
    for each in (source, other):
        each.write("vendor-libs/vendored.py", f"VALUE = {each.key!r}\n")
        each.write("vendor-libs/late.py", f"VALUE = 'late ' + {each.key!r}\n")
        evaluate(each, head, "[vendored.VALUE, __import__('late').VALUE]")
    assert sys.path == before
    assert "vendored" not in sys.modules
    for each in (source, other):
        assert run_hook(each) == str([each.key, "late " + each.key])
    source.write("vendor-libs/vendored.py", "VALUE = 'second'\n")
    assert source.load(entry="middleware")["changed"]
    assert run_hook(source) == "['second', 'late key']"


def test_a_plugin_may_take_its_folder_from_sys_path_again(source: Source) -> None:
    """As well-behaved code does."""
    before = list(sys.path)
    source.write("vendor/vendored.py", "VALUE = 'vendored'\n")
    head = "import os, sys\nsys.path.insert(0, os.path.dirname(__file__) + '/vendor')\nimport vendored\nassert 'vendor' in sys.path.pop(0)"
    assert evaluate(source, head, "vendored.VALUE") == "vendored"
    assert sys.path == before


def test_a_thread_of_an_old_version_keeps_its_modules(source: Source) -> None:
    """As long as it runs; then they are freed."""
    source.write("lazy.py", "VALUE = 1\nclass Big: pass\nBIG = Big()\n")
    plugin = """
        import threading, lazy
        GO, SEEN, END = threading.Semaphore(0), threading.Semaphore(0), []
        RESULTS = []
        def refresh():
            while True:
                GO.acquire()
                if END: return
                import lazy, importlib
                RESULTS.append((lazy.VALUE, importlib.import_module("lazy").VALUE))
                SEEN.release()
        THREAD = threading.Thread(target=refresh, daemon=True)
        THREAD.start()
        """
    source.write("plugin.py", plugin)
    source.load()
    version = source.dispatcher.loader.version("key")
    assert version is not None
    module = version.loaded(f"{version.name}.plugin")
    big = weakref.ref(version.loaded(f"{version.name}.lazy").BIG)  # type: ignore[union-attr]
    del version
    assert module is not None
    names = vars(module)
    for number in range(2, 5):
        source.write("lazy.py", f"VALUE = {number}\n")
        source.write("plugin.py", f"# {number}\n")
        source.load()
        names["GO"].release()
        assert names["SEEN"].acquire(timeout=10)
    assert names["RESULTS"] == [(1, 1)] * 3
    names["END"].append(True)
    names["GO"].release()
    names["THREAD"].join(10)
    del names, module
    source.dispatcher.loader.unloader.join()
    gc.collect()
    assert big() is None


def test_modules_that_start_threads_while_they_are_loaded_do_not_hang(source: Source) -> None:
    """The threads import siblings, and the module waits for them."""
    source.write("slow.py", "VALUE = 'slow'\n")
    head = """
import concurrent.futures
def work(_):
    import slow
    return slow.VALUE
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    GOT = list(pool.map(work, range(4)))
"""
    done = threading.Event()

    def load() -> None:
        assert evaluate(source, head, "GOT") == "['slow', 'slow', 'slow', 'slow']"
        done.set()

    threading.Thread(target=load, daemon=True).start()
    assert done.wait(20)


def test_a_changed_compiled_module_is_refused_by_name(source: Source) -> None:
    """A process can load only one; unchanged, all versions share it."""
    import _heapq

    compiled = Path(getattr(_heapq, "__file__", ""))
    if not compiled.is_file():
        pytest.skip("this interpreter has _heapq built in")
    target = source.path / compiled.name
    target.write_bytes(compiled.read_bytes())
    head = "import _heapq\n"
    assert evaluate(source, head, "_heapq.heappop([4])") == "4"
    assert evaluate(source, head + "# again", "_heapq.heappop([5])") == "5"
    os.unlink(target)
    target.write_bytes(compiled.read_bytes() + b"\0")
    source.write("middleware.py", head + "# third\n" + HOOK + ADD_RESULT.format(1))
    with pytest.raises(LoadError, match="restart the gateway"):
        source.load(entry="middleware")
    assert run_hook(source) == "5"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (DIRECTORY, "directory"),
        ("event_handlers", "event_handlers"),
        ("0123456789abcdef0123456789abcdef", "b0123456789abcdef0123456789abcdef"),
    ],
)
def test_each_source_has_one_name(key: str, name: str) -> None:
    """The documented one."""
    assert files.package_name(key) == name
    assert files.package_name("a b").isidentifier()
    assert files.package_name("a b") != files.package_name("a_b")


COMPILED = """
#include <Python.h>

static int run(PyObject *module) {
    PyObject *names = Py_BuildValue("(s)", "VALUE");
    PyObject *name = PyUnicode_FromString("acme.core");
    PyObject *core = PyImport_ImportModuleLevelObject(name, NULL, NULL, names, 0);
    if (core == NULL) return -1;
    return PyModule_AddObject(module, "VALUE", PyObject_GetAttrString(core, "VALUE"));
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, run}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "fast", NULL, 0, NULL, slots};
PyMODINIT_FUNC PyInit_fast(void) { return PyModuleDef_Init(&definition); }
"""


def test_compiled_modules_import_their_own_package(
    source: Source, new_source: Callable[[str], Source], tmp_path: Path
) -> None:
    """Cython imports by plain names and bypasses ``__import__``."""
    (tmp_path / "fast.c").write_text(COMPILED)
    library = tmp_path / "fast.so"
    include = f"-I{sysconfig.get_path('include')}"
    command = ["cc", "-shared", "-fPIC", include, str(tmp_path / "fast.c"), "-o", str(library)]
    subprocess.run(command, check=True)
    other = new_source("other")
    other.transport = source.transport
    for each in (source, other):
        acme(each, each.key)
        (each.path / "acme" / "fast.so").write_bytes(library.read_bytes())
        assert evaluate(each, "import acme.fast", "acme.fast.VALUE") == each.key
    assert not [name for name in sys.modules if name.partition(".")[0] == "acme"]
