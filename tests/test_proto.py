"""The messages have the names, numbers and types of Tyk's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tyk_cffi.proto.coprocess_mini_request_object_pb2 import MiniRequestObject
from tyk_cffi.proto.coprocess_object_pb2 import Event, Object
from tyk_cffi.proto.coprocess_response_object_pb2 import Header, ResponseObject
from tyk_cffi.proto.coprocess_return_overrides_pb2 import ReturnOverrides
from tyk_cffi.proto.coprocess_session_state_pb2 import AccessDefinition, AccessSpec, SessionState

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "tyk_cffi" / "proto"

# Field names in the order of their numbers, which are 1, 2, 3 and so on.
FIELDS = {
    Object: "hook_type hook_name request session metadata spec response",
    Event: "payload",
    MiniRequestObject: "headers set_headers delete_headers body url params add_params "
    "extended_params delete_params return_overrides method request_uri scheme raw_body",
    ResponseObject: "status_code raw_body body headers multivalue_headers",
    Header: "key values",
    ReturnOverrides: "response_code response_error headers override_error response_body",
    AccessSpec: "url methods",
    AccessDefinition: "api_name api_id versions allowed_urls",
    SessionState: "last_check allowance rate per expires quota_max quota_renews quota_remaining "
    "quota_renewal_rate access_rights org_id oauth_client_id oauth_keys basic_auth_data jwt_data "
    "hmac_enabled hmac_secret is_inactive apply_policy_id data_expires monitor "
    "enable_detailed_recording metadata tags alias last_updated id_extractor_deadline "
    "session_lifetime apply_policies certificate max_query_depth key_id post_expiry_action "
    "post_expiry_grace_period",
}


@pytest.mark.parametrize("message", FIELDS, ids=lambda m: str(m.__name__))
def test_fields_have_the_wires_names_and_numbers(message: type[Object]) -> None:
    """In order, from 1."""
    fields = {field.number: field.name for field in message.DESCRIPTOR.fields}
    assert fields == dict(enumerate(FIELDS[message].split(), 1))


def test_import_names_of_plugins_are_the_same_messages() -> None:
    """``coprocess_object_pb2`` and its siblings."""
    import coprocess_mini_request_object_pb2
    import coprocess_object_pb2
    import coprocess_session_state_pb2

    assert coprocess_object_pb2.Object is Object
    assert coprocess_session_state_pb2.SessionState is SessionState
    assert coprocess_mini_request_object_pb2.MiniRequestObject is MiniRequestObject


def test_generated_modules_are_current(tmp_path: Path) -> None:
    """``make proto`` generates the committed files, for Python and Go."""
    if shutil.which("protoc") is None:
        pytest.skip("protoc is not on PATH (make dev fetches it)")
    version = subprocess.run(["protoc", "--version"], capture_output=True, text=True, check=True)
    if not version.stdout.split()[-1].startswith("3.21."):
        pytest.skip(f"the modules are made by protoc 3.21, here is {version.stdout.strip()}")
    environment = os.environ | {"PYTHON": sys.executable}
    subprocess.run(["tools/proto", str(tmp_path)], cwd=ROOT, env=environment, check=True)
    made = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(made) == 3 * len(list(PROTO.glob("*.proto"))) + 5
    for file in made:
        assert code(file) == code(ROOT / file.relative_to(tmp_path)), file.name


def code(file: Path) -> str:
    """Return a generated file without the line with protoc's version."""
    return re.sub(r"(protoc +v3\.21)\.\d+", r"\1", file.read_text())
