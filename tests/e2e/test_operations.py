"""Logs, metrics, health and a graceful stop, for operators."""

from __future__ import annotations

import json
import textwrap
import threading

from support.gateway import SECRET, Gateway
from support.processes import free_port
from support.upstream import Upstream

PLUGIN = textwrap.dedent("""
    import logging, time
    from gateway import TykGateway as tyk
    from tyk.decorators import *

    @Pre
    def talk(request, session, spec):
        print("printed")
        logging.getLogger("mine").warning("logged")
        tyk.log("by tyk.log", "error")
        tyk.get_data("key")
        try:
            1 / 0
        except ZeroDivisionError:
            logging.exception("caught")

    @Pre
    def fails(request, session, spec):
        raise ValueError("on purpose")

    @Pre
    def slow(request, session, spec):
        time.sleep(1)
""")


def with_apis(gateway: Gateway) -> Gateway:
    gateway.plugin(PLUGIN)
    for name in ("talk", "fails", "slow"):
        gateway.define(name, {"pre": [{"name": name}]})
    return gateway.start()


def test_output_of_plugins_is_in_the_log_with_api_and_hook(gateway: Gateway) -> None:
    """print, logging and tyk.log make one record each, with whole tracebacks."""
    with_apis(gateway).http.get("/talk/")
    gateway.wait_for_log("ZeroDivisionError")
    records = [json.loads(line) for line in gateway.log().splitlines() if '"hook":"talk"' in line]
    assert {r["api_id"] for r in records} == {"talk"}
    said = [(r["level"], r["msg"].split("\n")[0]) for r in records]
    assert said == [
        ("INFO", "printed"),
        ("WARN", "logged"),
        ("ERROR", "by tyk.log"),
        ("ERROR", "caught"),
    ]
    assert records[-1]["msg"].endswith("ZeroDivisionError: division by zero")


def test_metrics_cover_hooks_reloads_and_the_store(gateway: Gateway) -> None:
    """They require the secret."""
    with_apis(gateway)
    for _ in range(3):
        gateway.http.get("/talk/")
    gateway.http.get("/fails/")
    assert gateway.http.get("/metrics").status_code == 403
    headers = {"Authorization": f"Bearer {SECRET}"}
    metrics = gateway.http.get("/metrics", headers=headers).text.splitlines()
    for line in (
        'gateway_hook_seconds_count{api="talk",hook="talk",type="Pre"} 3',
        'gateway_hook_errors_total{api="fails",hook="fails",type="Pre"} 1',
        'gateway_reloads_total{result="ok"} 1',
        'gateway_store_calls_total{call="get",result="ok"} 3',
        "gateway_python_waiting 0",
    ):
        assert line in metrics


def test_hello_reports_the_health_of_the_parts(gateway: Gateway) -> None:
    """Without the secret it has no versions; with the secret it does."""
    plain = with_apis(gateway).http.get("/hello")
    assert plain.json()["status"] == "pass"
    assert plain.json()["details"]["store"] == {"status": "pass"}
    assert "version" not in plain.json()
    assert "Python" not in plain.text.replace("Python hooks", "")
    detailed = gateway.http.get("/hello", headers={"x-tyk-authorization": SECRET}).json()
    assert "Python 3." in detailed["details"]["python"]["output"]
    assert detailed["version"]


def test_no_secret_reaches_the_log(gateway: Gateway, upstream: Upstream) -> None:
    """Even at level debug and for any failure."""
    gateway.plugin(
        "from tyk.decorators import *\n\n@Pre\ndef bad_url(request, session, spec):\n"
        "    request.object.url = request.get_header('X-Url')\n"
        "@Pre\ndef raises(request, session, spec):\n"
        "    raise ValueError('http://u:Sesam0effne@h/?a=Sesam0effne ' + repr(dict(request.object.headers)))\n"
    )
    gateway.define("url", {"pre": [{"name": "bad_url"}]})
    gateway.define("raises", {"pre": [{"name": "raises"}]})
    gateway.define("token", use_keyless=False)
    down = f"http://Sesam0effne:Sesam0effne@127.0.0.1:{free_port()}/?key=Sesam0effne"
    proxy = {"listen_path": "/down/", "target_url": down, "strip_listen_path": True}
    gateway.define("down", proxy=proxy)
    wrong = {"listen_path": "/wrong/", "target_url": "http://u:Sesam0effne/@h/"}
    gateway.define("wrong", proxy=wrong)
    gateway.settings["enable_bundle_downloader"] = True
    gateway.settings["bundle_base_url"] = down
    gateway.define("bundled", custom_middleware_bundle="b.zip")
    gateway.start()
    assert gateway.reload().status_code == 500
    headers = {"Authorization": "Bearer Sesam0effne"}
    urls = ["Sesam0effne", "no?t=Sesam0effne", "/%zz?Sesam0effne", "http://u:Sesam0effne/@h/"]
    for url in urls:
        gateway.http.get("/url/", headers={**headers, "X-Url": url})
    for path in ("raises", "down", "token", "wrong", "bundled"):
        gateway.http.get(f"/{path}/?token=Sesam0effne", headers=headers)
    for key in ("Sesam0effne", "Sesam0effne/more", "%53esam0effne"):
        gateway.key("POST", key, {})
        gateway.http.get(f"/tyk/keys/{key}", headers={"x-tyk-authorization": "Sesam0effne"})
        gateway.http.get(f"/tyk//keys/{key}")
    gateway.wait_for_log("upstream request failed")
    found = [line for line in gateway.log().splitlines() if "Sesam0effne" in line or SECRET in line]
    assert not found


def test_a_stop_lets_running_requests_finish(gateway: Gateway) -> None:
    """The exit status is 0."""
    with_apis(gateway)
    statuses: list[int] = []
    client = threading.Thread(
        target=lambda: statuses.append(gateway.http.get("/slow/").status_code)
    )
    client.start()
    gateway.wait_for_log("gateway listening")
    threading.Event().wait(0.3)
    process = gateway._process
    assert process is not None
    process.terminate()
    assert process.wait(timeout=20) == 0
    client.join()
    assert statuses == [200]
