"""Events are counted, bounded, and the least telling go first."""

from __future__ import annotations

from holdfast.api.core.v1 import core_pb2 as core
from holdfast.node.machine.instructions import Record
from holdfast.node.uplink.recorder import BURST, Recorder

POD = core.ObjectReference(apiVersion="v1", kind="Pod", namespace="d", name="web", uid="u")
BACK_OFF = Record("Warning", "BackOff", "again", "main")


def test_one_event():
    recorder = Recorder("node-1")
    assert recorder.record(POD, BACK_OFF, 100.0)
    ((event, again),) = recorder.take()
    assert not again
    assert event.source.host == "node-1"
    assert event.involvedObject.fieldPath == "spec.containers{main}"
    assert event.count == 1
    assert recorder.take() == []


def test_a_repeat_updates_the_first_event():
    recorder = Recorder("node-1")
    recorder.record(POD, BACK_OFF, 100.0)
    ((first, _),) = recorder.take()
    recorder.record(POD, BACK_OFF, 160.0)
    ((second, again),) = recorder.take()
    assert again
    assert second.metadata.name == first.metadata.name
    assert second.count == 2
    assert second.firstTimestamp.seconds == 100
    assert second.lastTimestamp.seconds == 160


def test_a_repeat_before_it_was_sent_is_one_write():
    recorder = Recorder("node-1")
    recorder.record(POD, BACK_OFF, 100.0)
    recorder.record(POD, BACK_OFF, 101.0)
    ((event, again),) = recorder.take()
    assert not again
    assert event.count == 2


def test_a_flood_is_bounded_and_counted():
    recorder = Recorder("node-1")
    told = sum(recorder.record(POD, Record("Warning", f"R{i}", ""), 100.0) for i in range(50))
    assert told == BURST
    assert recorder.dropped == 50 - BURST
    assert recorder.record(POD, BACK_OFF, 105.0)


def test_cheap_news_go_first():
    recorder = Recorder("node-1")
    kinds = [
        kind
        for i in range(4)
        for kind in ("Created", "Started")
        if recorder.record(POD, Record("Normal", kind, str(i)), 100.0)
    ]
    assert kinds.count("Started") == 4
    assert kinds.count("Created") < 4
