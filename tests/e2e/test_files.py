"""Files are loaded completely, or the previous version stays in use and the error is reported."""

from __future__ import annotations

import json
from typing import Any

from support.gateway import SECRET, Gateway

CODE = """
from tyk.decorators import *

@Pre
def {name}(request, session, spec):
    request.object.return_overrides.response_code = 200
    request.object.return_overrides.response_body = "{text}"
"""


def refused(gateway: Gateway) -> dict[str, dict[str, Any]]:
    """Reload, and return what was refused, by file name."""
    answer = gateway.reload()
    assert (answer.status_code == 200) == (answer.json()["status"] == "ok")
    return {r["what"].rsplit("/", 1)[-1]: r for r in answer.json().get("errors", [])}


def test_a_refused_definition_works_as_before_and_reload_and_hello_report_it(
    gateway: Gateway,
) -> None:
    """Its old hook stays in use even if the code lost it at the same time."""
    gateway.plugin(CODE.format(name="one", text="old"))
    gateway.define("api", {"pre": [{"name": "one"}]})
    gateway.start()
    assert gateway.http.get("/api/").text == "old"
    gateway.plugin(CODE.format(name="two", text="new"))
    gateway.define("api", {"pre": [{"name": "three"}]})
    kept = refused(gateway)
    assert kept["api.json"]["kept_old_version"]
    assert "'three'" in kept["api.json"]["reason"]
    assert gateway.http.get("/api/").text == "old"
    plain = gateway.http.get("/hello")
    assert plain.json()["status"] == "warn"
    assert "previous version stays in use" in plain.json()["details"]["definitions"]["output"]
    assert not any(text in plain.text for text in ("api.json", "three", str(gateway.folder)))
    detailed = gateway.http.get("/hello", headers={"x-tyk-authorization": SECRET})
    assert "'three'" in detailed.json()["details"]["definitions"]["reasons"][0]
    gateway.define("api", {"pre": [{"name": "two"}]})
    assert refused(gateway) == {}
    assert gateway.http.get("/api/").text == "new"
    assert gateway.http.get("/hello").json()["status"] == "pass"


def test_a_policy_file_that_became_invalid_changes_nothing(gateway: Gateway) -> None:
    """Not even the valid policies in it: all limits stay."""
    policies = {"p": {"rate": 2, "per": 3600}, "q": {"rate": 1, "per": 1}}
    file = gateway.folder / "policies.json"
    file.write_text(json.dumps(policies))
    gateway.settings["policies"] = {"policy_source": "file", "policy_record_name": "policies.json"}
    gateway.define("api", use_keyless=False)
    gateway.start()
    gateway.key("POST", "k", {"apply_policies": ["p"]})
    headers = {"Authorization": "k"}
    assert gateway.http.get("/api/", headers=headers).status_code == 200
    del policies["p"]["rate"]
    file.write_text(json.dumps(policies)[:-20])
    kept = refused(gateway)
    assert kept["policies.json"]["kept_old_version"]
    answers = [gateway.http.get("/api/", headers=headers).status_code for _ in range(3)]
    assert answers[-1] == 429


def test_a_folder_of_definitions_that_is_not_readable_keeps_all_and_is_logged(
    gateway: Gateway,
) -> None:
    """The folder's name may contain any character."""
    gateway.settings["app_path"] = "[a-z]*?{x}"
    (gateway.folder / "apps").rename(gateway.folder / "[a-z]*?{x}")
    (gateway.folder / "apps").symlink_to(gateway.folder / "[a-z]*?{x}")
    gateway.define("api")
    gateway.start()
    assert gateway.http.get("/api/").status_code == 200
    (gateway.folder / "[a-z]*?{x}").rename(gateway.folder / "gone")
    assert list(refused(gateway)) == ["[a-z]*?{x}"]
    assert gateway.http.get("/api/").status_code == 200
    assert "app_path" in gateway.log()


def test_a_plugin_that_changes_directory_and_umask_changes_nothing(gateway: Gateway) -> None:
    """The gateway's paths are absolute, its bundles' files have modes of their own."""
    gateway.plugin(
        "import os\nos.chdir('/')\nos.umask(0o777)\n" + CODE.format(name="one", text="1")
    )
    gateway.define("api", {"pre": [{"name": "one"}]})
    gateway.start()
    gateway.plugin(CODE.format(name="one", text="2"))
    gateway.define("new")
    assert refused(gateway) == {}
    assert gateway.http.get("/api/").text == "2"
    assert gateway.http.get("/new/").status_code == 200
