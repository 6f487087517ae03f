"""A version has the hooks among its modules' attributes, however they got there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.source import Source

from tyk_cffi.errors import HookError, LoadError
from tyk_cffi.proto.coprocess_object_pb2 import Object

HEAD = "import functools\nfrom tyk.decorators import *\n"


def run_hook(source: Source, name: str = "hook", kind: str = "Pre") -> str:
    """Run the hook and return the one header that it adds."""
    out, _ = source.bind(name, kind).run(b"")
    return Object.FromString(out).request.set_headers["result"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, one of which defines hooks."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "acme_hooks.py").write_text(
        HEAD
        + "@Hook\ndef Acme(request, session, spec):\n    request.add_header('result', 'acme')\n"
        + "@Event\ndef Happened(event, spec): pass\n"
        + "def make(value):\n    @Pre\n    def made(request, session, spec):\n"
        + "        request.add_header('result', value)\n    return made\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("acme_hooks", None)


def test_hooks_of_an_installed_package_are_there_after_reloads_and_in_other_sources(
    installed: Path, source: Source, new_source: Callable[[str], Source]
) -> None:
    """The package is imported once; every source that imports its hooks has them."""
    other = new_source("other")
    other.transport = source.transport
    for text in ("", "# edited\n"):
        for each in (source, other):
            each.write("middleware.py", "from acme_hooks import Acme, Happened\n" + text)
            loaded = each.load(entry="middleware", keep=[("Pre", "Acme")])
            assert loaded["hooks"] == ["Hook Acme"]
            assert loaded["events"] == ["Happened"]
            assert loaded["warnings"] == []
            assert run_hook(each, "Acme") == "acme"


def test_importing_a_package_does_not_take_its_hooks(installed: Path, source: Source) -> None:
    """Neither the first time nor later: only attributes of modules count."""
    source.write("middleware.py", "import acme_hooks\n")
    assert source.load()["hooks"] == []


def test_a_hook_has_its_own_name_and_that_of_the_module(installed: Path, source: Source) -> None:
    """If it was renamed in an import, assigned, or made by a factory of an installed package."""
    source.write(
        "middleware.py",
        HEAD + "from acme_hooks import Acme as Mine, make\nhook = make('made')\n"
        "@Pre\ndef plain(request, session, spec): pass\nOther = plain\n",
    )
    loaded = source.load()
    assert loaded["hooks"] == sorted(
        ["Hook Acme", "Hook Mine", "Pre hook", "Pre made", "Pre plain", "Pre Other"]
    )
    assert loaded["warnings"] == []
    assert run_hook(source) == run_hook(source, "made") == "made"
    assert run_hook(source, "Mine") == "acme"


def test_two_functions_of_one_name_under_different_decorators_are_both_there(
    source: Source,
) -> None:
    """As in Tyk's samples, although only the second is an attribute of the module."""
    source.write(
        "middleware.py",
        HEAD + "@Pre\ndef Mine(request, session, spec): request.add_header('result', 'pre')\n"
        "@Post\ndef Mine(request, session, spec): request.add_header('result', 'post')\n",
    )
    assert source.load()["warnings"] == []
    assert run_hook(source, "Mine") == "pre"
    assert run_hook(source, "Mine", "Post") == "post"


def test_two_functions_of_one_name_under_one_decorator_are_a_warning(source: Source) -> None:
    """The later one is used; the warning has both places."""
    source.write(
        "middleware.py",
        HEAD + "@Pre\ndef hook(request, session, spec): request.add_header('result', '1')\n"
        "@Pre\ndef hook(request, session, spec): request.add_header('result', '2')\n",
    )
    [warning] = source.load()["warnings"]
    assert "middleware.py:3" in warning
    assert "middleware.py:5" in warning
    assert run_hook(source) == "2"


WRAPPER = """
def {name}(function):
    {wraps}
    def wrapper(request, session, spec):
        function(request, session, spec)
        request.add_header("result", request.get_header("result") + " wrapped")
    return wrapper
"""
FORMS = {
    "above, with wraps": "@wraps\n@Pre\n",
    "above, without wraps": "@bare\n@Pre\n",
    "below, with wraps": "@Pre\n@wraps\n",
    "below, without wraps": "@Pre\n@bare\n",
    "on both sides": "@bare\n@Pre\n@wraps\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_another_decorator_is_never_left_out(source: Source, form: str) -> None:
    """For instance one that checks a right; it is effective in any position."""
    code = WRAPPER.format(name="wraps", wraps="@functools.wraps(function)")
    code += WRAPPER.format(name="bare", wraps="")
    code += FORMS[form] + "def hook(request, session, spec):\n"
    code += "    request.object.headers['result'] = 'hook'\n"
    source.write("middleware.py", HEAD + code)
    loaded = source.load()
    assert loaded["failures"] == {}
    assert loaded["warnings"] == []
    assert "wrapped" in run_hook(source)


def test_two_hook_decorators_make_two_hooks(source: Source) -> None:
    """From one function."""
    source.write(
        "middleware.py",
        HEAD + "@Pre\n@Post\ndef hook(request, session, spec): request.add_header('result', 'x')\n",
    )
    assert source.load()["hooks"] == ["Post hook", "Pre hook"]
    assert run_hook(source) == run_hook(source, kind="Post") == "x"


OBJECTS = {
    "partial": "def f(request, session, spec, mode): request.add_header('result', mode)\n"
    "hook = Pre(functools.partial(f, mode='x'))\n",
    "callable": "class C:\n    def __call__(self, request, session, spec):\n"
    "        request.add_header('result', 'x')\nhook = Pre(C())\n",
    "callable that compares with nothing": "class C:\n    __hash__ = None\n"
    "    def __eq__(self, other): raise ValueError\n"
    "    def __call__(self, request, session, spec):\n"
    "        request.add_header('result', 'x')\nhook = Pre(C())\n",
    "lambda": "hook = Pre(lambda request, session, spec: request.add_header('result', 'x'))\n",
    "bound method": "class C:\n    def m(self, request, session, spec):\n"
    "        request.add_header('result', 'x')\nhook = Pre(C().m)\n",
    "marked method": "class C:\n    @Pre\n    def hook(self, request, session, spec):\n"
    "        request.add_header('result', 'x')\nhook = C().hook\n",
    "static method": "class C:\n    @staticmethod\n    @Pre\n    def hook(request, session, spec):\n"
    "        request.add_header('result', 'x')\n",
    "static method below": "class C:\n    @Pre\n    @staticmethod\n"
    "    def hook(request, session, spec):\n        request.add_header('result', 'x')\n",
    "class method": "class C:\n    V = 'x'\n    @classmethod\n    @Pre\n"
    "    def hook(cls, request, session, spec):\n        request.add_header('result', cls.V)\n",
    "nested": "def make():\n    @Pre\n    def hook(request, session, spec):\n"
    "        request.add_header('result', 'x')\nmake()\n",
    "keyword with a default": "@Pre\ndef hook(request, session, spec, *, mode='x'):\n"
    "    request.add_header('result', mode)\n",
    "async partial": "async def f(request, session, spec, mode):\n"
    "    request.add_header('result', mode)\nhook = Pre(functools.partial(f, mode='x'))\n",
    "async callable": "class C:\n    async def __call__(self, request, session, spec):\n"
    "        request.add_header('result', 'x')\nhook = Pre(C())\n",
    "async behind a wrapper": "def w(f):\n    @functools.wraps(f)\n    def inner(*args, **kwargs):\n"
    "        return f(*args, **kwargs)\n    return inner\n@Pre\n@w\n"
    "async def hook(request, session, spec):\n    request.add_header('result', 'x')\n",
    "async run by its wrapper": "import asyncio\ndef w(f):\n    @functools.wraps(f)\n"
    "    def inner(*args):\n        return asyncio.run(f(*args))\n    return inner\n@Pre\n@w\n"
    "async def hook(request, session, spec):\n    request.add_header('result', 'x')\n",
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_whatever_can_be_called_can_be_a_hook(source: Source, kind: str) -> None:
    """Under its name in the plugin."""
    source.write("middleware.py", HEAD + OBJECTS[kind])
    loaded = source.load()
    assert loaded["failures"] == {}
    assert run_hook(source) == "x"


@pytest.mark.parametrize(
    ("kind", "arguments", "returned"),
    [
        ("Pre", "request, session, spec", "request, session"),
        ("CustomKeyCheck", "request, session, metadata, spec", "request, session, metadata"),
        ("Response", "request, response, session, metadata, spec", "response"),
    ],
)
@pytest.mark.parametrize("result", ["", "return {returned}"])
def test_a_coroutine_that_a_plain_function_returns_is_awaited(
    source: Source, kind: str, arguments: str, returned: str, result: str
) -> None:
    """A decorator that calls an async hook returns one."""
    source.write(
        "middleware.py",
        HEAD + "import asyncio\ndef logged(f):\n    def wrapper(*args, **named):\n"
        "        return f(*args, **named)\n    return wrapper\n"
        f"@Hook\n@logged\nasync def hook({arguments}):\n    await asyncio.sleep(0)\n"
        f"    request.add_header('result', 'x')\n    {result.format(returned=returned)}\n",
    )
    assert source.load()["failures"] == {}
    assert run_hook(source, kind=kind) == "x"


def test_what_an_awaited_coroutine_returns_is_checked(source: Source) -> None:
    """As what a hook returns."""
    source.write(
        "middleware.py",
        HEAD + "async def f(): return 5\n@Pre\ndef hook(request, session, spec): return f()\n",
    )
    source.load()
    with pytest.raises(HookError, match=r"middleware.py:4: hook returned int"):
        run_hook(source)


def test_a_hook_may_take_any_number_of_arguments(source: Source) -> None:
    """It is called in the form of the function that it holds, or in that of its type."""
    source.write(
        "middleware.py",
        HEAD
        + "def logged(f, log=print):\n    def wrapper(*args): return f(*args)\n"
        + "    return wrapper\n"
        + "@Pre\n@logged\ndef three(request, session, spec): request.add_header('result', 'x')\n"
        + "@Pre\n@logged\ndef four(request, session, metadata, spec):\n"
        + "    request.add_header('result', 'x')\n"
        + "@Pre\ndef plain(*args): request, session, spec = args; request.add_header('result', 'x')\n"
        + "@CustomKeyCheck\ndef auth(*args, **named):\n    args[0].add_header('result', 'x')\n"
        + "    return args[:3]\n",
    )
    assert source.load()["failures"] == {}
    for name, kind in (
        ("three", "Pre"),
        ("four", "Pre"),
        ("plain", "Pre"),
        ("auth", "CustomKeyCheck"),
    ):
        assert run_hook(source, name, kind) == "x"


MISTAKES = {
    "class C:\n    @Pre\n    def hook(self, request, session, spec): pass\n": "is a method",
    # Python 3.10 calls a decorator of a class on the line of the class.
    "@Pre\nclass C: pass\n": f"middleware.py:{3 if sys.version_info >= (3, 11) else 4}: @Pre C is not",
    "@Pre\ndef hook(request): pass\n": "takes 1 arguments",
    "@Pre\ndef hook(request, session, spec, *, must): pass\n": "keyword 'must'",
    "@Pre\ndef hook(request, session, spec): yield\n": "is a generator",
    "@Pre\nasync def hook(request, session, spec): yield\n": "is a generator",
    "hook = Pre(5)\n": "middleware.py:3: @Pre <unnamed> is not a function",
    "hook = Pre(None)\n": "middleware.py:3: @Pre <unnamed> is not a function",
    "@Hook\ndef hook(*args): pass\n": "takes any number of arguments",
    "@Pre\n@functools.lru_cache\ndef hook(request): pass\n": "takes 1 arguments",
    "class C:\n    @classmethod\n    @Pre\n    def hook(cls, request): pass\n": "takes 1 arguments",
    "@Event\ndef hook(event): pass\n": "(event, spec)",
}


@pytest.mark.parametrize("code", MISTAKES)
def test_an_invalid_hook_is_reported_at_load(source: Source, code: str) -> None:
    """The error says what to do; such a version does not replace a working one."""
    source.write("middleware.py", HEAD + "# fine\n")
    source.load()
    source.write("middleware.py", HEAD + code)
    with pytest.raises(LoadError) as caught:
        source.load()
    assert MISTAKES[code] in str(caught.value)
    assert "middleware" in str(caught.value)


def test_objects_with_a_life_of_their_own_are_not_touched(source: Source) -> None:
    """Searching for hooks does not run code of the plugin's objects."""
    source.write(
        "middleware.py",
        HEAD + "class Proxy:\n    def __getattr__(self, name): raise RuntimeError(name)\n"
        "    def __eq__(self, other): raise RuntimeError\nproxy = Proxy()\n"
        "@Pre\ndef hook(request, session, spec): request.add_header('result', 'x')\n",
    )
    assert source.load()["hooks"] == ["Pre hook"]


def test_decorated_functions_stay_what_they_are() -> None:
    """Callable in a plugin's own tests."""
    from tyk.decorators import Post, Pre

    def hook(request: object, session: object, spec: object) -> str:
        return "called"

    assert Pre(hook) is Post(hook) is hook
    assert hook(None, None, None) == "called"
