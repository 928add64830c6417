"""HTTP/2 byte by byte, for clients that no library would be: they call, and take no answer."""

import os
import resource
import socket
import struct


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def greeting(window):
    """Says hello, and how many bytes of each answer are taken."""
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, struct.pack(">HI", 4, window))


def call(method, number, case):
    """A call of the report service about a case, the connection's first having number 0."""
    headers = [
        (":method", "POST"), (":scheme", "http"), (":path", f"/conversionreports.v1.ReportService/{method}"), (":authority", "test"),
        ("te", "trailers"), ("content-type", "application/grpc")]
    block = b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in headers)
    body = b"\x0a" + bytes([len(case)]) + case.encode()
    stream = 2 * number + 1
    return frame(1, 4, stream, block) + frame(0, 1, stream, b"\0" + struct.pack(">I", len(body)) + body)


def connected(port, method, cases, window):
    """A connection with a call for each case."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(20)
    connection.sendall(greeting(window) + b"".join(call(method, number, case) for number, case in enumerate(cases)))
    return connection


def allow_files(count):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], min(count, limits[1])), limits[1]))


def megabytes(pid, name):
    """`VmRSS` or `VmHWM` of a process."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise AssertionError(name)


def processor_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
