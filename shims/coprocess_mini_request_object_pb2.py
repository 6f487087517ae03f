from tyk_cffi.proto.coprocess_mini_request_object_pb2 import *
