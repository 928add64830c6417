"""Compares protobuf-testee with Python's protobuf on random messages and damaged ones.

usage: cross_check.py TESTEE PROTOS INCLUDES SEED

Google has two implementations in Python. Where the usual one (upb) disagrees with ours about damaged
bytes, the other (pure Python) is asked, and only two voices against ours count: upb drops a map's entry
that has an unknown field, for instance.
"""

import collections
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from random_messages import Maker

MESSAGES = 6000
MUTANTS = 30000
BINARY_TO_BINARY, BINARY_TO_JSON, JSON_TO_BINARY = range(3)
FOREIGN_TYPES = [
    'google.rpc.BadRequest', 'google.rpc.ErrorInfo', 'google.rpc.RetryInfo',
    'protobuf_test_messages.proto3.TestAllTypesProto3',
]
OUR_TYPES = [
    'ConversionEvent', 'CreateReportRequest', 'CreateReportResponse', 'GenerateReportsRequest',
    'GenerateReportsResponse', 'GetReportRequest', 'GetReportResponse', 'Report', 'ReportReady',
    'ReportRequest', 'ReportStatus', 'WaitReportRequest', 'WaitReportResponse',
]


def load_types(protos, includes):
    """Compiles the proto files; Python's classes are made from the descriptors."""
    files = [str(p.relative_to(protos)) for p in pathlib.Path(protos).rglob('*.proto')]
    files += ['google/rpc/error_details.proto', 'conformance/messages/test_messages_proto3.proto']
    with tempfile.NamedTemporaryFile() as output:
        subprocess.run(
            ['protoc', '-I', protos, '-I', '/usr/include', '-I', includes,
             '-I', includes + '/protoc/include', '--include_imports',
             '--descriptor_set_out=' + output.name, *files], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(output.read()).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    names = ['conversionreports.v1.' + name for name in OUR_TYPES] + FOREIGN_TYPES
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(n)) for n in names]


class Testee:
    def __init__(self, path):
        self.process = subprocess.Popen(
            [path, 'cross-check'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def convert(self, operation, kind, data):
        name = kind.DESCRIPTOR.full_name.encode()
        frame = bytes([operation, len(name)]) + name + data
        self.process.stdin.write(struct.pack('<I', len(frame)) + frame)
        self.process.stdin.flush()
        head = self.process.stdout.read(4)
        if len(head) < 4:
            raise SystemExit(f'the testee crashed on operation {operation} of {name}: {data!r}')
        reply = self.process.stdout.read(struct.unpack('<I', head)[0])
        return reply[0] == 1, reply[1:]


class Check:
    def __init__(self, testee, types, seed):
        self.testee, self.types = testee, types
        self.random = random.Random(seed)
        self.maker = Maker(self.random)
        self.failures = collections.Counter()

    def fail(self, kind, *details):
        self.failures[kind] += 1
        if self.failures[kind] <= 3:
            print(kind, *[repr(d)[:600] for d in details], file=sys.stderr)

    @staticmethod
    def same(left, right):
        """NaN is not made, so bytes tell."""
        return (left.SerializeToString(deterministic=True)
                == right.SerializeToString(deterministic=True))

    def message(self, kind, as_proto_names):
        message = self.maker.fill(kind())
        data = message.SerializeToString()
        ok, reply = self.testee.convert(BINARY_TO_BINARY, kind, data)
        if not ok or not self.same(kind.FromString(reply), message):
            self.fail('binary-to-binary', reply, message)
        ok, reply = self.testee.convert(BINARY_TO_JSON, kind, data)
        try:
            ok = ok and self.same(json_format.Parse(reply, kind()), message)
        except Exception as error:
            ok, reply = False, (error, reply)
        if not ok:
            self.fail('binary-to-json', reply, message)
        text = json_format.MessageToJson(message, preserving_proto_field_name=as_proto_names)
        ok, reply = self.testee.convert(JSON_TO_BINARY, kind, text.encode())
        if not ok or not self.same(kind.FromString(reply), message):
            self.fail('json-to-binary', reply, message)

    def mutant(self, kind):
        data = self.maker.mutant(self.maker.fill(kind()).SerializeToString())
        ok, reply = self.testee.convert(BINARY_TO_BINARY, kind, data)
        if not ok and self.is_stricter(data, reply):
            return
        ours = canonical(kind, reply) if ok else None
        if ours != canonical(kind, data) and ours != second_opinion(kind, data):
            self.fail('damaged bytes', kind.DESCRIPTOR.full_name, reply, data)

    @staticmethod
    def is_stricter(data, error):
        """Both drop the excess bits of a varint's tenth byte, and let a group that is skipped have a
        field with the number 0. Ours refuses these."""
        if b'exceeds 64 bits' in error:
            return True
        place = re.search(rb'invalid tag \(at byte (\d+)\)', error)
        return place is not None and data[int(place[1]) - 1] < 8


def canonical(kind, data):
    """The bytes of the known fields; None when `data` is no message. Ours skips unknown fields."""
    try:
        message = kind.FromString(data)
    except Exception:
        return None
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True)


def second_opinion(kind, data):
    """`canonical` by the other implementation, which needs a process of its own."""
    environment = dict(os.environ, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION='python')
    reply = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], kind.DESCRIPTOR.full_name], input=data,
        stdout=subprocess.PIPE, env=environment, check=True).stdout
    # Read again by the usual one, since the two order maps differently.
    return canonical(kind, reply[1:]) if reply[:1] == b'1' else None


def answer_second_opinion(types, name):
    kind = next(k for k in types if k.DESCRIPTOR.full_name == name)
    result = canonical(kind, sys.stdin.buffer.read())
    sys.stdout.buffer.write(b'0' if result is None else b'1' + result)


def main():
    testee, protos, includes, seed, *name = sys.argv[1:]
    types = load_types(protos, includes)
    if name:
        return answer_second_opinion(types, *name)
    check = Check(Testee(testee), types, int(seed))
    for index in range(MESSAGES):
        check.message(types[index % len(types)], bool(index // len(types) & 1))
    for index in range(MUTANTS):
        check.mutant(types[index % len(types)])
    print(f'{MESSAGES} messages and {MUTANTS} damaged ones (seed {seed}), '
          f'{dict(check.failures) or "no disagreement"}')
    sys.exit(1 if check.failures else 0)


if __name__ == '__main__':
    main()
