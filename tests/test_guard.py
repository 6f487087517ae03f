"""Plugin code cannot end, fork or replace the gateway's process by accident."""

from __future__ import annotations

import pytest
from support.installed import run

ATTEMPT = """
import multiprocessing, os, posix, pty, signal, threading
try:
    {code}
except {error} as error:
    print(error)
print("lives")
"""


@pytest.mark.parametrize(
    "code",
    [
        "os.fork()",
        "os.forkpty()",
        "posix.fork()",
        "posix.forkpty()",
        "pty.fork()",
        "pty.spawn('true')",
        "os.spawnlp(os.P_WAIT, 'true', 'true')",
        "multiprocessing.get_context('fork').Process(target=print).start()",
        "__import__('concurrent.futures').futures.ProcessPoolExecutor("
        "mp_context=multiprocessing.get_context('fork')).submit(print).result()",
    ],
)
def test_a_fork_says_what_to_use(code: str) -> None:
    """For all names of the function."""
    (level, said), lives = run(ATTEMPT.format(code=code, error="RuntimeError"))
    assert level == "info"
    assert "use subprocess, or multiprocessing with the 'spawn' start method" in said
    assert lives == ("info", "lives")


@pytest.mark.parametrize(
    "code",
    [
        "os._exit(1)",
        "posix._exit(1)",
        "os.abort()",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "posix.kill(os.getpid(), 9)",
        "os.kill(0, signal.SIGTERM)",
        "os.kill(-1, signal.SIGTERM)",
        "os.kill(-os.getpgrp(), signal.SIGTERM)",
        "os.killpg(os.getpgrp(), signal.SIGTERM)",
        "os.killpg(0, signal.SIGTERM)",
        "signal.raise_signal(signal.SIGTERM)",
        "__import__('_signal').raise_signal(signal.SIGTERM)",
        "signal.pidfd_send_signal(os.pidfd_open(os.getpid()), signal.SIGTERM)",
        "signal.pthread_kill(threading.get_ident(), signal.SIGTERM)",
        "__import__('faulthandler').dump_traceback_later(0.01, exit=True)",
        "os.execv('/bin/true', ['true'])",
        "posix.execve('/bin/true', ['true'], {})",
        "os.execlp('true', 'true')",
        "os.execvpe('true', ['true'], {})",
    ],
)
def test_the_process_goes_on(code: str) -> None:
    """Only that call fails."""
    (_, said), lives = run(ATTEMPT.format(code=code, error="RuntimeError"), start_new_session=True)
    assert "gateway" in said
    assert lives == ("info", "lives")


@pytest.mark.parametrize(
    "code",
    [
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
        "signal.signal(signal.SIGINT, signal.default_int_handler)",
        "signal.set_wakeup_fd(-1)",
        "signal.siginterrupt(signal.SIGTERM, True)",
        "signal.setitimer(signal.ITIMER_REAL, 0.01)",
        "signal.alarm(1)",
        "__import__('_signal').alarm(1)",
        "__import__('_signal').signal(signal.SIGTERM, signal.SIG_DFL)",
    ],
)
def test_signals_raise_what_python_raises_off_its_main_thread(code: str) -> None:
    """ValueError, which many packages catch."""
    (_, said), lives = run(ATTEMPT.format(code=code, error="ValueError"))
    assert said.startswith("signal only works in main thread of the main interpreter")
    assert lives == ("info", "lives")


def test_a_loop_adds_no_signal_handler() -> None:
    """RuntimeError, as asyncio raises off the main thread."""
    code = """
        import asyncio
        loop = asyncio.SelectorEventLoop()
        try:
            loop.add_signal_handler(15, print)
        except RuntimeError as error:
            print(error)
        loop.close()
    """
    assert run(code)[-1][1].startswith("signal only works in main thread")


def test_everything_else_works() -> None:
    """Child processes, signals to them, and checking whether a process exists."""
    assert run("""
        import multiprocessing, os, signal, subprocess, sys
        print(subprocess.run(["echo", "subprocess"], capture_output=True).stdout.decode())
        print(subprocess.run("echo shell", shell=True, capture_output=True).stdout.decode())
        print(subprocess.run(["true"], preexec_fn=lambda: os.setsid()).returncode)
        print(subprocess.run(["true"], preexec_fn=lambda: os._exit(7)).returncode)
        print(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1]))
        print(os.waitstatus_to_exitcode(os.system("exit 3")))
        child = subprocess.Popen(["sleep", "60"])
        os.kill(child.pid, signal.SIGTERM)
        print(child.wait())
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        os.killpg(child.pid, signal.SIGTERM)
        print(child.wait())
        os.kill(os.getpid(), 0)
        import faulthandler
        faulthandler.dump_traceback_later(60)
        faulthandler.cancel_dump_traceback_later()
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
        print(bool(signal.pthread_sigmask(signal.SIG_BLOCK, []) is not None))
        """) == [
        ("info", text)
        for text in ("subprocess", "shell", "0", "7", "0", "3", "-15", "-15", "True", "True")
    ]
