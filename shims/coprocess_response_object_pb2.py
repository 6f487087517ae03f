from tyk_cffi.proto.coprocess_response_object_pb2 import *
