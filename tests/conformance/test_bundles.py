"""Bundles on a running gateway."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from support.gateway import Gateway
from support.upstream import Upstream

from tyk_cffi import bundle

CODE = """
import helper
from tyk.decorators import *
from gateway import TykGateway as tyk

@Pre
def hook(request, session, spec):
    import late
    import package.inner
    request.add_header("X-Told", f"{{helper.VALUE}} {{late.VALUE}} {{package.inner.VALUE}} {text}")
    request.add_header("X-Hash", spec["bundle_hash"])
    tyk.trigger_event("Custom", "payload of {text}")
    return request, session

@Event
def heard(event, spec):
    print("HEARD", spec["APIID"], helper.VALUE, event["Meta"]["Message"])
"""


@pytest.fixture
def bundles(gateway: Gateway, tmp_path: Path) -> Path:
    """The folder of ``bundle_base_url``."""
    folder = tmp_path / "served"
    folder.mkdir()
    gateway.settings["enable_bundle_downloader"] = True
    gateway.settings["bundle_base_url"] = folder.as_uri()
    return folder


def make(bundles: Path, name: str, text: str) -> None:
    """Build a bundle with the command."""
    source = bundles.parent / f"source-{name}"
    (source / "package").mkdir(parents=True, exist_ok=True)
    (source / "middleware.py").write_text(CODE.format(text=text))
    (source / "helper.py").write_text(f"VALUE = 'helper-{text}'\n")
    (source / "late.py").write_text(f"VALUE = 'late-{text}'\n")
    (source / "package" / "inner.py").write_text(f"VALUE = 'inner-{text}'\n")
    manifest = {"custom_middleware": {"driver": "python", "pre": [{"name": "hook"}]}}
    (source / "manifest.json").write_text(json.dumps(manifest))
    bundle.build(source / "manifest.json", bundles / name)


def answer_from(gateway: Gateway, upstream: Upstream, api: str) -> str | None:
    answer = gateway.http.get(f"/{api}/")
    assert answer.status_code == 200, answer.text
    return upstream.last.header("X-Told")


def expected(text: str) -> str:
    return f"helper-{text} late-{text} inner-{text} {text}"


@pytest.mark.stock_fails(
    "sibling modules of one name meet in sys.modules, imports inside hooks find nothing, events are dead"
)
def test_two_bundles_with_the_same_names_are_isolated(
    gateway: Gateway, bundles: Path, upstream: Upstream
) -> None:
    """Hooks, modules, lazy imports and event handlers; the manifest replaces the API's hooks."""
    heard = [{"handler_name": "cp_dynamic_handler", "handler_meta": {"name": "heard"}}]
    for name in ("one", "two"):
        make(bundles, f"{name}.zip", name)
        gateway.define(
            name,
            {"pre": [{"name": "of_no_use"}]},
            custom_middleware_bundle=f"{name}.zip",
            event_handlers={"events": {"Custom": heard}},
        )
    gateway.start()
    assert answer_from(gateway, upstream, "one") == expected("one")
    assert answer_from(gateway, upstream, "two") == expected("two")
    assert upstream.last.header("X-Hash") == hashlib.md5(b"two.zip").hexdigest()
    for name in ("one", "two"):
        gateway.wait_for_log(f"HEARD {name} helper-{name} payload of {name}")


@pytest.mark.bundled_only("Tyk never fetches a bundle again that it has unpacked once")
def test_a_changed_bundle_is_loaded_and_a_broken_one_is_not(
    gateway: Gateway, bundles: Path, upstream: Upstream
) -> None:
    """Under the same name at a reload; the next start uses the unpacked bundle."""
    make(bundles, "b.zip", "old")
    gateway.define("api", custom_middleware_bundle="b.zip")
    gateway.start()
    assert answer_from(gateway, upstream, "api") == expected("old")
    make(bundles, "b.zip", "new")
    assert gateway.reload().status_code == 200
    assert answer_from(gateway, upstream, "api") == expected("new")
    (bundles / "b.zip").write_bytes(b"broken")
    assert gateway.reload().status_code == 500
    gateway.wait_for_log("not a readable zip")
    assert answer_from(gateway, upstream, "api") == expected("new")


@pytest.mark.bundled_only("Tyk leaves such an API out: 404")
def test_an_api_without_its_bundle_answers_500(gateway: Gateway, bundles: Path) -> None:
    """Requests do not bypass the hooks; other APIs are served."""
    gateway.define("api", custom_middleware_bundle="absent.zip")
    gateway.define("plain")
    gateway.start()
    assert gateway.http.get("/api/").status_code == 500
    assert gateway.http.get("/plain/").status_code == 200
    assert "absent.zip" in gateway.log()


@pytest.mark.bundled_only("Tyk leaves such an API out: 404")
def test_an_unsigned_bundle_is_refused_where_a_key_is_set(
    gateway: Gateway, bundles: Path, upstream: Upstream, tmp_path: Path
) -> None:
    """A bundle signed with that key is loaded."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, pkcs8 = s.Encoding.PEM, s.PrivateFormat.PKCS8
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, pkcs8, s.NoEncryption()))
    public = key.public_key().public_bytes(pem, s.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    gateway.settings["public_key_path"] = str(tmp_path / "public.pem")
    make(bundles, "b.zip", "text")
    gateway.define("api", custom_middleware_bundle="b.zip")
    gateway.start()
    assert gateway.http.get("/api/").status_code == 500
    assert "signature" in gateway.log()
    bundle.build(
        bundles.parent / "source-b.zip" / "manifest.json", bundles / "b.zip", tmp_path / "key.pem"
    )
    assert gateway.reload().status_code == 200
    assert answer_from(gateway, upstream, "api") == expected("text")
    # What the gateway says of a manifest that was changed after it was signed.
    signed = (bundles / "b.zip").read_bytes()
    with zipfile.ZipFile(bundles / "b.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    changed = json.loads(files["manifest.json"])
    changed["custom_middleware"]["pre"] = []
    files["manifest.json"] = json.dumps(changed).encode()
    with zipfile.ZipFile(bundles / "b.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert gateway.reload().status_code == 500
    gateway.wait_for_log("the manifest differs from the signed one")
    assert answer_from(gateway, upstream, "api") == expected("text")
    (bundles / "b.zip").write_bytes(signed)
    assert gateway.reload().status_code == 200
