"""Log records, warnings and errors of libraries are one record each, whatever plugins configure."""

from __future__ import annotations

import logging
import sys

import pytest
from conftest import FakeHost
from support.installed import run
from support.source import Source

from tyk_cffi.errors import HookError
from tyk_cffi.logs import GatewayHandler


def test_logging_records_are_one_each_with_their_traceback(host: FakeHost) -> None:
    """With their level."""
    logger = logging.getLogger("a-plugin")
    handler = GatewayHandler()
    logger.addHandler(handler)
    try:
        1 / 0  # noqa: B018  # raises
    except ZeroDivisionError:
        logger.exception("failed for %s", "a reason")
    logger.warning("careful")
    logger.removeHandler(handler)
    (level, _, _, message), second = host.logs
    assert level == "error"
    assert message.startswith("failed for a reason\nTraceback")
    assert message.endswith("ZeroDivisionError: division by zero")
    assert second == ("warning", "", "", "careful")


CONFIGURES = [
    "logging.basicConfig(level=logging.CRITICAL, force=True)",
    "logging.basicConfig(handlers=[logging.NullHandler()], force=True)",
    "logging.shutdown()",
    "logging.disable(logging.CRITICAL)",
    "logging.disable()",
    "logging.getLogger().handlers.clear()",
    "logging.getLogger().handlers = []",
    "logging.root.removeHandler(logging.root.handlers[0])",
    "logging.root.setLevel(logging.CRITICAL)",
    "[h.close() for h in logging.root.handlers[:]]",
    "[h.setLevel(logging.CRITICAL) for h in logging.root.handlers]",
    "[h.setFormatter(logging.Formatter('changed %(message)s')) for h in logging.root.handlers]",
    "[h.addFilter(lambda record: False) for h in logging.root.handlers]",
    "logging.root.addFilter(lambda record: False)",
    "logging.root.addFilter(lambda record: 1 / 0)",
    "logging.root.disabled = True",
    "logging.setLogRecordFactory(lambda *arguments, **named: 1 / 0)",
    "logging.config.dictConfig({'version': 1})",
    "logging.config.dictConfig({'version': 1, 'root': {'level': 'CRITICAL', 'handlers': []}})",
    "logging.config.fileConfig(io.StringIO('[loggers]\\nkeys=root\\n[handlers]\\nkeys=\\n"
    "[formatters]\\nkeys=\\n[logger_root]\\nlevel=CRITICAL\\nhandlers=\\n'))",
]


@pytest.mark.parametrize("configures", CONFIGURES)
def test_no_plugin_silences_another(configures: str) -> None:
    """Records of loggers created before and after reach the gateway's log once."""
    records = run(f"""
        import io, logging, logging.config
        before = logging.getLogger("before")
        {configures}
        before.info("from before %d", 1)
        logging.getLogger("after").info("from after")
        logging.info("from root")
    """)
    assert [record for record in records if record[0] == "info"] == [
        ("info", "from before 1"),
        ("info", "from after"),
        ("info", "from root"),
    ]


def test_a_handler_that_raises_fails_no_other_plugin() -> None:
    """It is told once for each record, with its traceback."""
    records = run("""
        import logging
        class Broken(logging.Handler):
            def emit(self, record):
                raise LookupError("no request here")
        logging.root.addHandler(Broken())
        logging.getLogger("other").info("said")
        print("lives")
    """)
    assert [level for level, _ in records] == ["info", "error", "info"]
    assert records[0][1] == "said"
    assert "LookupError: no request here" in records[1][1]
    assert records[2][1] == "lives"


def test_a_showwarning_that_raises_fails_no_other_plugin() -> None:
    """The warning is logged as if it were not there."""
    records = run("""
        import warnings
        warnings.showwarning = lambda *arguments, **named: 1 / 0
        warnings.warn("be careful")
        print("lives")
    """)
    assert [level for level, _ in records] == ["warning", "info"]
    assert "be careful" in records[0][1]


def test_a_plugin_adds_handlers_of_its_own() -> None:
    """It can add them to root too, and remove them."""
    assert run("""
        import io, logging
        out = io.StringIO()
        mine = logging.StreamHandler(out)
        logging.basicConfig(handlers=[mine], format="%(levelname)s %(message)s", force=True)
        logging.info("one")
        assert out.getvalue() == "INFO one\\n", out.getvalue()
        logging.basicConfig(handlers=[])
        assert mine in logging.root.handlers
        logging.root.removeHandler(mine)
        logging.info("two")
        assert out.getvalue() == "INFO one\\n", out.getvalue()
        logging.root.handlers.append(mine)
        assert mine in logging.root.handlers
        assert isinstance(logging.root, logging.RootLogger)
    """) == [("info", "one"), ("info", "two")]


@pytest.mark.parametrize(
    "code",
    [
        "logging.basicConfig(level=logging.INFO)",
        "logging.basicConfig(level=logging.INFO, force=True)",
        "logging.basicConfig(stream=sys.stdout, force=True)",
        "logging.getLogger().addHandler(logging.StreamHandler())",
        "logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))",
    ],
)
def test_a_handler_for_the_standard_streams_logs_nothing_twice(code: str) -> None:
    """Its records are in the gateway's log already."""
    records = run(f"import logging, sys\n{code}\nlogging.info('once')")
    assert records == [("info", "once")]


def test_records_below_the_gateways_level_are_not_made() -> None:
    """They are not formatted either; a change of the level applies at once."""
    assert run("""
        import logging
        from tyk_cffi import logs
        class Never:
            def __str__(self):
                raise AssertionError
        logs.set_level(logging.WARNING)
        logger = logging.getLogger("library")
        assert not logger.isEnabledFor(logging.INFO)
        logger.info(Never())
        own = logging.getLogger("own")
        own.setLevel(logging.DEBUG)
        own.debug(Never())
        logger.warning("careful")
        logs.set_level(logging.DEBUG)
        logger.debug("details")
    """) == [("warning", "careful"), ("debug", "details")]


def test_a_record_that_cannot_be_formatted_says_where_it_is() -> None:
    """With its unformatted message."""
    ((level, text),) = run('import logging\nlogging.getLogger("a").error("%d things", "no")')
    assert level == "error"
    assert "a record of logger 'a' cannot be formatted: TypeError" in text
    assert "'%d things'" in text
    assert "<string>:" in text


@pytest.mark.parametrize(
    "before",
    [
        "pass",
        "logging.captureWarnings(True)",
        "logging.captureWarnings(True); logging.captureWarnings(False)",
        "with warnings.catch_warnings(record=True): warnings.warn('recorded')",
    ],
)
def test_a_warning_is_one_record_of_level_warning(before: str) -> None:
    """With file and line, even after a plugin has configured warnings."""
    ((level, text),) = run(f"import logging, warnings\n{before}\nwarnings.warn('be careful')")
    assert level == "warning"
    assert "UserWarning: be careful" in text


UNCAUGHT = {
    "thread": "t = threading.Thread(target=fails, name='mine'); t.start(); t.join()",
    "timer": "t = threading.Timer(0, fails); t.start(); t.join()",
    "finalizer": "T = type('T', (), {'__del__': lambda self: fails()}); T()",
    "hook": "try:\n    fails()\nexcept Exception: sys.excepthook(*sys.exc_info())",
}


@pytest.mark.parametrize("where", UNCAUGHT)
def test_an_uncaught_error_is_one_record(where: str) -> None:
    """With its traceback, of level error."""
    code = "import sys, threading\ndef fails():\n    {}['key']\n" + UNCAUGHT[where]
    ((level, text),) = run(code)
    assert level == "error"
    assert "KeyError: 'key'" in text.splitlines()[0]
    assert text.count("Traceback (most recent call last)") == 1
    assert text.splitlines()[-1] == "KeyError: 'key'"


def test_a_thread_that_exits_logs_nothing() -> None:
    """``sys.exit()`` in a thread ends it, as in any program."""
    assert (
        run("import sys, threading\nt = threading.Thread(target=sys.exit); t.start(); t.join()")
        == []
    )


BROKEN = {
    "__str__ raises": "class E(Exception):\n    def __str__(self): raise KeyError(1)\nraise E",
    "__str__ exits": "class E(Exception):\n    def __str__(self): sys.exit()\nraise E",
    "__str__ gives no text": "class E(Exception):\n    def __str__(self): return 5\nraise E",
    "__repr__ raises": "class E(Exception):\n    def __repr__(self): 1 / 0\nraise E",
    "both recurse": "class E(Exception):\n    def __str__(self): return str(self)\n"
    "    __repr__ = __str__\nraise E",
    "its cause is broken": "class E(Exception):\n    def __str__(self): raise E\n"
    "raise ValueError(1) from E()",
    "its context is broken": "class E(Exception):\n    def __str__(self): raise E\n"
    "try:\n    raise E\nexcept E:\n    raise ValueError",
    "its class has no name": "class M(type):\n    @property\n    def __name__(cls): 1 / 0\n"
    "class E(Exception, metaclass=M): pass\nraise E",
    "__class__ raises": "class E(Exception):\n    @property\n    def __class__(self): 1 / 0\nraise E",
    "__getattribute__ raises": "class E(Exception):\n"
    "    def __getattribute__(self, name): 1 / 0\nraise E",
    "a long chain": "e = None\nfor i in range(3000):\n    c, e = e, ValueError(i)\n"
    "    e.__cause__ = c\nraise e",
    "a huge message": "raise ValueError('x' * 10_000_000)",
    "a huge message of a cause": "raise ValueError(1) from ValueError('x' * 10_000_000)",
    "lone surrogates": "raise ValueError('\\ud800')",
    "recursion": "def f(): f()\nf()",
    "a note": "e = ValueError(1)\ne.__notes__ = [E for E in [type('N', (), {"
    "'__str__': lambda s: 1 / 0})()]]\nraise e",
    "a base exception": "class E(BaseException): pass\nraise E",
}


@pytest.mark.parametrize("how", BROKEN)
def test_an_exception_is_explained_whatever_it_is(source: Source, how: str) -> None:
    """Hook, type, file and line are in the first line; the text is bounded."""
    code = "import sys\n" + BROKEN[how]
    with pytest.raises(HookError) as caught:
        source.run(code)
    text = str(caught.value)
    summary = text.partition("\n")[0]
    assert summary.startswith("hook 'hook' (Pre) of API 'api' failed: ")
    assert f"({source.path / 'module.py'}:" in summary
    names = ("E", "ValueError", "RecursionError")
    assert summary.split(" failed: ")[1].startswith(names)
    assert len(text) < 100_000


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there are groups from Python 3.11 on")
def test_groups_of_broken_exceptions_are_explained(source: Source) -> None:
    """Deeply nested ones."""
    code = (
        "class E(Exception):\n    def __str__(self): raise E\n"
        "e = E()\nfor _ in range(600): e = ExceptionGroup('deep', [e, E()])\nraise e"
    )
    with pytest.raises(HookError, match="deep") as caught:
        source.run(code)
    text = str(caught.value)
    assert text.startswith("hook 'hook' (Pre) of API 'api' failed: ExceptionGroup: deep")
    assert len(text) < 100_000
