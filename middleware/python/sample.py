"""The hooks of the two sample APIs. The type annotations are optional."""

from gateway import TykGateway as tyk
from tyk.decorators import *
from tyk.types import Metadata, Request, Session, Spec


@Pre
def MyPreMiddleware(request: Request, session: Session, spec: Spec) -> tuple[Request, Session]:
    tyk.log("MyPreMiddleware was called", "info")
    request.add_header("X-Pre", "MyPreMiddleware")
    return request, session


@Post
def MyPostMiddleware(request: Request, session: Session, spec: Spec) -> tuple[Request, Session]:
    request.add_header("X-Post", "MyPostMiddleware")
    return request, session


@CustomKeyCheck
def MyAuthCheck(
    request: Request, session: Session, metadata: Metadata, spec: Spec
) -> tuple[Request, Session, Metadata]:
    if request.get_header("Authorization") == "47a0c79c427728b3df4af62b9228c8ae":
        session.rate = 1000.0
        session.per = 1.0
        metadata["token"] = "47a0c79c427728b3df4af62b9228c8ae"
    return request, session, metadata
