from tyk_cffi.proto.coprocess_object_pb2 import *
