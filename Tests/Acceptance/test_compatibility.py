"""Clients that were made from the protos as they were published go on working."""

import uuid

from google.protobuf import descriptor_pb2, descriptor_pool

from stack import ROOT, Reflected

PUBLISHED = ROOT / "Tests/ProtobufTests/Foreign/published.binpb"
DAY = {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-11-02T00:00:00Z"}


def published():
    """What such a client knows. A file follows those that it imports."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(PUBLISHED.read_bytes()).file:
        pool.Add(file)
    return pool


def test_a_client_of_the_published_protos_asks_and_is_answered(embedded):
    path = embedded.write()
    embedded.start(path)
    api = Reflected(f"127.0.0.1:{embedded.port}", known=published())
    case_id = str(uuid.uuid4())
    created = api("CreateReport", request={"case_id": case_id, "product_id": "product-1", "period": DAY})
    assert created["status"]["state"] == "REPORT_STATE_PENDING" and created["revision"] == 1, created
    assert api("GetReport", case_id=case_id)["status"]["batch_fill"] == 1
    embedded.call("flush", path, "batch")
    waited = api("WaitReport", case_id=case_id, timeout="60s")
    assert waited["report"]["product_id"] == "product-1", waited
    assert api("GetReport", case_id=case_id) == waited
