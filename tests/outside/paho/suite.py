#!/usr/bin/env python3
"""Paho's Python client against a broker.

usage: suite.py VERSION.SCENARIO URL      such as: suite.py v5.delivers_at_qos_2 mqtt://127.0.0.1:1883

The broker must be fresh: scenarios use fixed topics and client identifiers.
"""
import os
import sys
from urllib.parse import urlparse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from world import Peer, World, expect, properties  # noqa: E402

SCENARIOS = {}


def scenario(versions, name):
    def register(function):
        for version in versions.split():
            SCENARIOS[f"{version}.{name}"] = (version, function)
        return function
    return register


def numbered(count):
    return [b"message %d" % i for i in range(count)]


# --- QoS ------------------------------------------------------------------------------


def deliver(world, qos):
    subscriber, publisher = Peer(world, "subscriber"), Peer(world, "publisher")
    expect("granted QoS", subscriber.subscribe("news/+/today", qos), [qos])
    payloads = numbered(100) + [b"", bytes(range(256)), b"x" * 200_000]
    publisher.publish_all("news/local/today", payloads, qos)
    world.until("all arrived", lambda: len(subscriber.messages) >= len(payloads))
    # A flow too many would come before the answer to this one.
    subscriber.subscribe("something/else", qos)
    expect("payloads", subscriber.payloads(), payloads)
    expect("QoS", {each.qos for each in subscriber.messages}, {qos})
    expect("retain", {each.retain for each in subscriber.messages}, {False})


@scenario("v31 v3 v5", "delivers_at_qos_0")
def _(world):
    deliver(world, 0)


@scenario("v31 v3 v5", "delivers_at_qos_1")
def _(world):
    deliver(world, 1)


@scenario("v31 v3 v5", "delivers_at_qos_2")
def _(world):
    deliver(world, 2)


@scenario("v3 v5", "lowers_to_the_granted_qos")
def _(world):
    publisher = Peer(world, "publisher")
    for granted in (0, 1, 2):
        subscriber = Peer(world, f"subscriber-{granted}")
        subscriber.subscribe("a/b", granted)
        for sent in (0, 1, 2):
            publisher.publish("a/b", b"x", sent)
            message = subscriber.next_message()
            expect(f"QoS of {sent} to {granted}", message.qos, min(sent, granted))


@scenario("v3 v5", "stops_delivery_after_unsubscribe")
def _(world):
    subscriber, publisher = Peer(world, "subscriber"), Peer(world, "publisher")
    subscriber.subscribe("a/#", 1)
    subscriber.subscribe("marker", 1)
    subscriber.unsubscribe("a/#")
    publisher.publish("a/b", b"too late", 1)
    publisher.publish("marker", b"end", 1)
    expect("payload", subscriber.next_message().payload, b"end")


# --- retained messages ----------------------------------------------------------------


@scenario("v3 v5", "keeps_the_last_retained_message")
def _(world):
    early, publisher = Peer(world, "early"), Peer(world, "publisher")
    early.subscribe("state/+", 2)
    for qos in (0, 1, 2):
        publisher.publish(f"state/{qos}", b"old", qos, retain=True)
        publisher.publish(f"state/{qos}", b"new", qos, retain=True)
    for qos in (0, 1, 2):
        for payload in (b"old", b"new"):
            message = early.next_message()
            # It was there when the message came: no retained message for it.
            expect("to the early one", (message.topic, message.payload, message.qos, message.retain),
                   (f"state/{qos}", payload, qos, False))
    late = Peer(world, "late")
    late.subscribe("state/#", 1)
    world.until("three arrived", lambda: len(late.messages) == 3)
    expect("to the late one", sorted((each.topic, each.payload, each.qos, each.retain) for each in late.messages),
           [(f"state/{qos}", b"new", min(qos, 1), True) for qos in (0, 1, 2)])


@scenario("v3 v5", "deletes_a_retained_message")
def _(world):
    early, publisher, late = Peer(world, "early"), Peer(world, "publisher"), Peer(world, "late")
    early.subscribe("state", 1)
    publisher.publish("state", b"on", 1, retain=True)
    between = Peer(world, "between")
    between.subscribe("state", 1)
    expect("retained", between.next_message().payload, b"on")
    publisher.publish("state", b"", 1, retain=True)
    expect("to the early one", [early.next_message().payload for _ in range(2)], [b"on", b""])
    late.subscribe("state", 1)
    publisher.publish("state", b"not retained", 1)
    expect("to the late one", late.next_message().payload, b"not retained")


@scenario("v5", "obeys_retain_handling_and_retain_as_published")
def _(world):
    publisher, subscriber = Peer(world, "publisher"), Peer(world, "subscriber")
    publisher.publish("state", b"kept", 1, retain=True)

    def next_after_subscribing(handling, as_published=False):
        subscriber.subscribe("state", 1, retain_handling=handling, retain_as_published=as_published)
        publisher.publish("state", b"kept", 1, retain=True)
        return subscriber.next_message()

    expect("2: never", next_after_subscribing(2).retain, False)
    expect("1: not for a subscription that is there", next_after_subscribing(1).retain, False)
    expect("0: each time", next_after_subscribing(0).retain, True)
    expect("then the published one", subscriber.next_message().retain, False)
    subscriber.unsubscribe("state")
    expect("1: for a new subscription", next_after_subscribing(1).retain, True)
    expect("then the published one", subscriber.next_message().retain, False)
    subscriber.unsubscribe("state")
    expect("as published", next_after_subscribing(2, as_published=True).retain, True)


# --- wills ----------------------------------------------------------------------------


@scenario("v3 v5", "publishes_the_will_of_a_cut_client")
def _(world):
    watcher = Peer(world, "watcher")
    watcher.subscribe("wills/#", 2)
    for qos in (0, 1, 2):
        mortal = Peer(world, f"mortal-{qos}", will=(f"wills/{qos}", b"gone", qos, qos == 1))
        mortal.cut()
        message = watcher.next_message()
        expect("will", (message.topic, message.payload, message.qos, message.retain),
               (f"wills/{qos}", b"gone", qos, False))
    late = Peer(world, "late")
    late.subscribe("wills/#", 1)
    message = late.next_message()
    expect("retained will", (message.topic, message.payload, message.retain), ("wills/1", b"gone", True))


@scenario("v3 v5", "forgets_the_will_of_a_client_that_disconnects")
def _(world):
    watcher = Peer(world, "watcher")
    watcher.subscribe("wills/#", 1)
    Peer(world, "polite", will=("wills/polite", b"gone", 1, False)).disconnect()
    Peer(world, "mortal", will=("wills/mortal", b"gone", 1, False)).cut()
    expect("the only will", watcher.next_message().topic, "wills/mortal")


@scenario("v5", "publishes_the_will_of_a_client_that_disconnects_with_0x04")
def _(world):
    watcher = Peer(world, "watcher")
    watcher.subscribe("wills/#", 1)
    will = properties("WILLMESSAGE", ContentType="text/plain", PayloadFormatIndicator=1, ResponseTopic="answers",
                      CorrelationData=b"\0\1", UserProperty=[("b", "1"), ("a", "2"), ("b", "3")])
    Peer(world, "mortal", will=("wills/mortal", b"gone", 1, False), will_properties=will).disconnect(0x04)
    message = watcher.next_message()
    expect("will", (message.topic, message.payload), ("wills/mortal", b"gone"))
    expect("properties", (message.properties.ContentType, message.properties.PayloadFormatIndicator,
                          message.properties.ResponseTopic, message.properties.CorrelationData,
                          message.properties.UserProperty),
           ("text/plain", 1, "answers", b"\0\1", [("b", "1"), ("a", "2"), ("b", "3")]))


@scenario("v5", "delays_a_will_and_forgets_it_when_the_client_returns")
def _(world):
    watcher = Peer(world, "watcher")
    watcher.subscribe("wills/#", 1)
    delay = properties("WILLMESSAGE", WillDelayInterval=1)
    returning = Peer(world, "returning", kept=True, will=("wills/returning", b"gone", 1, False), will_properties=delay)
    returning.cut()
    again = Peer(world, "returning", kept=True)
    expect("session present", again.session_present, True)
    Peer(world, "mortal", kept=True, will=("wills/mortal", b"gone", 1, False), will_properties=delay).cut()
    # The other will would have been due before this one.
    began = world.now()
    expect("the only will", watcher.next_message().topic, "wills/mortal")
    expect("delayed", world.now() - began > 0.5, True)


# --- sessions -------------------------------------------------------------------------


@scenario("v3 v5", "resumes_a_session_with_its_queue")
def _(world):
    for end in ("disconnect", "cut"):
        sleeper, publisher = Peer(world, "sleeper-" + end, kept=True), Peer(world, "publisher-" + end)
        expect("new session", sleeper.session_present, False)
        sleeper.subscribe(f"{end}/1", 1)
        sleeper.subscribe(f"{end}/2", 2)
        getattr(sleeper, end)()
        world.until("it is gone", lambda: not sleeper.connected)
        payloads = numbered(50)
        publisher.publish_all(f"{end}/1", payloads, 1)
        publisher.publish_all(f"{end}/2", payloads, 2)
        again = Peer(world, "sleeper-" + end, kept=True)
        expect("session present", again.session_present, True)
        world.until("all arrived", lambda: len(again.messages) >= 100)
        publisher.publish(f"{end}/1", b"live", 1)
        world.until("the live one arrived", lambda: len(again.messages) >= 101)
        expect("QoS 1", again.payloads(f"{end}/1"), payloads + [b"live"])
        expect("QoS 2", again.payloads(f"{end}/2"), payloads)
        expect("QoS kept", {(each.topic, each.qos) for each in again.messages}, {(f"{end}/1", 1), (f"{end}/2", 2)})


@scenario("v3 v5", "discards_the_session_of_a_clean_start")
def _(world):
    sleeper, publisher = Peer(world, "sleeper", kept=True), Peer(world, "publisher")
    sleeper.subscribe("a", 1)
    sleeper.disconnect()
    sleeper = Peer(world, "sleeper", kept=True)
    expect("session present", sleeper.session_present, True)
    sleeper.disconnect()
    publisher.publish("a", b"queued", 1)
    expect("clean start", Peer(world, "sleeper").session_present, False)
    again = Peer(world, "sleeper", kept=True)
    expect("session present", again.session_present, False)
    again.subscribe("a", 1)
    publisher.publish("a", b"fresh", 1)
    expect("payload", again.next_message().payload, b"fresh")


@scenario("v5", "ends_a_session_at_a_disconnect_with_expiry_0")
def _(world):
    first = Peer(world, "sleeper", kept=True)
    first.disconnect(session_expiry=0)
    second = Peer(world, "sleeper", kept=True)
    expect("session present", second.session_present, False)
    second.disconnect(session_expiry=200)
    expect("session present", Peer(world, "sleeper", kept=True).session_present, True)


@scenario("v3 v5", "hands_the_session_to_the_newer_connection")
def _(world):
    older, publisher = Peer(world, "same", kept=True), Peer(world, "publisher")
    older.subscribe("a", 1)
    newer = Peer(world, "same", kept=True)
    expect("session present", newer.session_present, True)
    world.until("the older connection is closed", lambda: not older.connected)
    publisher.publish("a", b"hello", 1)
    expect("payload", newer.next_message().payload, b"hello")


# --- shared subscriptions --------------------------------------------------------------


@scenario("v3 v5", "shares_messages_among_a_group")
def _(world):
    members = [Peer(world, f"member-{i}", will=("wills", b"gone", 1, False)) for i in range(3)]
    alone, publisher = Peer(world, "alone"), Peer(world, "publisher")
    for qos in (0, 1, 2):
        for member in members:
            member.subscribe(f"$share/group/jobs/{qos}", qos)
        alone.subscribe(f"jobs/{qos}", qos)
        payloads = numbered(60)
        publisher.publish_all(f"jobs/{qos}", payloads, qos)
        world.until("all arrived", lambda: sum(len(each.messages) for each in members) >= 60
                    and len(alone.messages) >= 60)
        expect("each once", sorted(sum((each.payloads() for each in members), [])), sorted(payloads))
        expect("all have work", all(each.messages for each in members), True)
        expect("without a group", alone.payloads(), payloads)
        for peer in [*members, alone]:
            peer.messages.clear()
    members[0].unsubscribe("$share/group/jobs/1")
    alone.subscribe("wills", 1)
    members[1].cut()
    expect("will", alone.next_message().payload, b"gone")  # So the broker has seen its end.
    publisher.publish_all("jobs/1", numbered(10), 1)
    world.until("all came to the last member", lambda: members[2].payloads() == numbered(10))


# --- properties and mixed versions -----------------------------------------------------


@scenario("v5", "passes_properties_on")
def _(world):
    subscriber, publisher = Peer(world, "subscriber"), Peer(world, "publisher")
    subscriber.subscribe("a/#", 1, identifier=7)
    subscriber.subscribe("a/b", 1, identifier=268_435_455)
    sent = properties("PUBLISH", ContentType="text/plain", PayloadFormatIndicator=1, ResponseTopic="answers",
                      CorrelationData=bytes(range(256)), MessageExpiryInterval=1000,
                      UserProperty=[("b", "1"), ("a", "2"), ("b", "3")])
    publisher.publish("a/b", b"x", 1, properties=sent)
    subscriber.subscribe("something/else", 1)
    world.until("it arrived", lambda: subscriber.messages)
    got = subscriber.messages[0].properties
    expect("properties", (got.ContentType, got.PayloadFormatIndicator, got.ResponseTopic, got.CorrelationData,
                          got.UserProperty),
           ("text/plain", 1, "answers", bytes(range(256)), [("b", "1"), ("a", "2"), ("b", "3")]))
    expect("expiry", 990 <= got.MessageExpiryInterval <= 1000, True)
    # One copy with both identifiers, or a copy for each subscription.
    identifiers = sorted(sum((each.properties.SubscriptionIdentifier for each in subscriber.messages), []))
    expect("identifiers", identifiers, [7, 268_435_455])


@scenario("v5", "sends_nothing_back_to_a_no_local_subscriber")
def _(world):
    talker, listener = Peer(world, "talker"), Peer(world, "listener")
    talker.subscribe("room", 1, no_local=True)
    listener.subscribe("room", 1)
    talker.publish("room", b"mine", 1)
    listener.publish("room", b"theirs", 1)
    expect("to the talker", talker.next_message().payload, b"theirs")
    expect("to the listener", [listener.next_message().payload for _ in range(2)], [b"mine", b"theirs"])


@scenario("mixed", "exchanges_messages_between_versions")
def _(world):
    peers = {version: Peer(world, version, version=version) for version in ("v31", "v3", "v5")}
    for peer in peers.values():
        peer.subscribe("room/#", 2)
    for version, peer in peers.items():
        for qos in (0, 1, 2):
            extra = None
            if version == "v5":
                extra = properties("PUBLISH", ContentType="text/plain", MessageExpiryInterval=60,
                                   UserProperty=[("a", "1")])
            peer.publish(f"room/{version}", b"%d" % qos, qos, properties=extra)
    for reader in peers.values():
        world.until("all arrived", lambda: len(reader.messages) >= 9)
        for version in peers:
            expect("payloads", reader.payloads(f"room/{version}"), [b"0", b"1", b"2"])
    expect("properties to v5", [each.properties.UserProperty for each in peers["v5"].messages
                                if each.topic == "room/v5"], [[("a", "1")]] * 3)


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in SCENARIOS:
        sys.exit(f"{__doc__}\nScenarios:\n  " + "\n  ".join(sorted(SCENARIOS)))
    version, function = SCENARIOS[arguments[0]]
    url = urlparse(arguments[1])
    function(World(version, url.hostname, url.port))


if __name__ == "__main__":
    main(sys.argv[1:])
