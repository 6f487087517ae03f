"""The hooks of the two sample APIs, and the shapes that the documentation shows."""

from gateway import TykGateway as tyk
from tyk.decorators import *


@Pre
def MyPreMiddleware(request, session, spec):
    tyk.log("MyPreMiddleware was called", "info")
    request.add_header("X-Pre", "MyPreMiddleware")
    return request, session


@Post
def MyPostMiddleware(request, session, spec):
    request.add_header("X-Post", "MyPostMiddleware")
    return request, session


@CustomKeyCheck
def MyAuthCheck(request, session, metadata, spec):
    if request.get_header("Authorization") == "47a0c79c427728b3df4af62b9228c8ae":
        session.rate = 1000.0
        session.per = 1.0
        metadata["token"] = "47a0c79c427728b3df4af62b9228c8ae"
    return request, session, metadata
