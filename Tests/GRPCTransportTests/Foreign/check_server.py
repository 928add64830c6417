"""Checks a server as a foreign client sees it: python check_server.py HOST:PORT

Needs grpcio, grpcio-health-checking and grpcio-reflection. The server is the one of
ForeignClientTests.swift. Exits with 0 if every check passed, and names the one that did not.
"""

import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

TIMEOUT = 30
HEALTH = "grpc.health.v1.Health"


def call(channel, path, request=b"", **options):
    return channel.unary_unary(path)(request, **{"timeout": TIMEOUT, **options})


def failure(channel, path, request=b"", **options):
    try:
        call(channel, path, request, **options)
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"{path} did not fail")


def unary_calls(channel):
    for size in (0, 1, 1000, 1_000_000):
        request = bytes(i % 251 for i in range(size))
        for path in ("/test.Echo/Now", "/test.Echo/Later"):
            assert call(channel, path, request) == request, (path, size)


def compressed_requests(channel):
    request = b"again and again " * 10_000
    response = call(channel, "/test.Echo/Now", request, compression=grpc.Compression.Gzip)
    assert response == request


def calls_at_once(channel):
    method = channel.unary_unary("/test.Echo/Later")
    futures = [(i, method.future(b"%d" % i, timeout=TIMEOUT)) for i in range(2000)]
    for i, future in futures:
        assert future.result() == b"%d" % i


def errors(channel):
    error = failure(channel, "/test.Fail/Now")
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
    assert error.details() == "über 100 %\nund mehr", error.details()
    trailers = dict(error.trailing_metadata())
    assert trailers["grpc-status-details-bin"] == b"\x08\x09\x00\xff", trailers

    assert failure(channel, "/test.No/Such").code() == grpc.StatusCode.UNIMPLEMENTED
    late = failure(channel, "/test.Wait/Unary", timeout=0.05)
    assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED, late
    large = failure(channel, "/test.Echo/Now", bytes(5 << 20))
    assert large.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, large
    malformed = failure(channel, f"/{HEALTH}/Check", b"\x0a\xff")
    assert malformed.code() == grpc.StatusCode.INVALID_ARGUMENT, malformed
    assert "grpc.health.v1.HealthCheckRequest" in malformed.details(), malformed.details()


def metadata(channel):
    sent = (("x-tenant", "blue"), ("x-trace-bin", b"\x00\xff"))
    assert call(channel, "/test.Context/Describe", metadata=sent) == b"blue\x00\xff"


def health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest
    response = health_pb2.HealthCheckResponse
    assert stub.Check(request(), timeout=TIMEOUT).status == response.SERVING
    try:
        stub.Check(request(service="test.Late"), timeout=TIMEOUT)
        raise AssertionError("an unknown service is healthy")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND, error

    watch = stub.Watch(request(service="test.Late"), timeout=TIMEOUT)
    assert next(watch).status == response.SERVICE_UNKNOWN
    for change, status in (
        (b"serving", response.SERVING),
        (b"not serving", response.NOT_SERVING),
        (b"unknown", response.SERVICE_UNKNOWN),
    ):
        call(channel, "/test.Control/SetStatus", change)
        assert next(watch).status == status, change
    watch.cancel()


def reflection(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    services = list(database.get_services())
    assert services == sorted(services) and HEALTH in services and "test.Echo" in services, services

    # A call made of nothing but what the server says of itself.
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName(HEALTH).FindMethodByName("Check")
    request = message_factory.GetMessageClass(method.input_type)()
    response = message_factory.GetMessageClass(method.output_type)
    answer = response.FromString(
        call(channel, f"/{HEALTH}/Check", request.SerializeToString())
    )
    assert answer.status == 1, answer
    try:
        database.FindFileContainingSymbol("no.such.Symbol")
        raise AssertionError("an unknown symbol was found")
    except KeyError:
        pass


def reflection_v1(channel):
    """The messages of v1 are those of v1alpha."""
    method = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest
    asked = [
        request(file_by_filename="grpc/health/v1/health.proto"),
        request(file_containing_symbol=f"{HEALTH}.Watch"),
        request(all_extension_numbers_of_type="grpc.health.v1.HealthCheckRequest"),
        request(file_containing_extension={"containing_type": "a.B", "extension_number": 5}),
        request(),
    ]
    answers = list(method(iter(asked), timeout=TIMEOUT))
    kinds = [answer.WhichOneof("message_response") for answer in answers]
    assert kinds == [
        "file_descriptor_response",
        "file_descriptor_response",
        "all_extension_numbers_response",
        "error_response",
        "error_response",
    ], kinds
    assert [answer.original_request for answer in answers] == asked
    assert answers[3].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert answers[4].error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


def cancellation(channel):
    future = channel.unary_unary("/test.Wait/Unary").future(b"", timeout=TIMEOUT)
    call(channel, "/test.Wait/UntilArrived")
    future.cancel()
    # Answered when the server's task has seen it.
    call(channel, "/test.Wait/UntilCancelled")


CHECKS = [
    unary_calls, compressed_requests, calls_at_once, errors, metadata, health, reflection,
    reflection_v1, cancellation,
]


def main():
    with grpc.insecure_channel(sys.argv[1], options=[("grpc.enable_http_proxy", 0)]) as channel:
        for check in CHECKS:
            try:
                check(channel)
            except BaseException as error:
                print(f"{check.__name__}: {error!r}")
                return 1
            print(f"{check.__name__}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
