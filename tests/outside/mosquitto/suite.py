#!/usr/bin/env python3
"""mosquitto_pub, mosquitto_sub and mosquitto_rr against a broker.

usage: suite.py VERSION.SCENARIO URL      such as: suite.py v5.delivers_at_qos_2 mqtt://127.0.0.1:1883

The broker must be fresh: scenarios use fixed topics and client identifiers.
"""
import os
import sys
import tempfile
from urllib.parse import urlparse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from world import World, expect, until  # noqa: E402

SCENARIOS = {}


def scenario(versions, name):
    def register(function):
        for version in versions.split():
            SCENARIOS[f"{version}.{name}"] = (version, function)
        return function
    return register


# mosquitto_sub has a Receive Maximum of 20, and ends if it gets more; mosquitto 2.0.11 does
# not always keep to that.
MANY = 20 if os.environ.get("BROKER") == "mosquitto" else 200


def numbered(count):
    return [f"message {i}" for i in range(count)]


# --- QoS ------------------------------------------------------------------------------


def deliver(world, qos):
    subscriber = world.subscriber("news/+/today", qos, "%t %q %r %p", count=MANY)
    world.publish("news/local/today", numbered(MANY - 1), qos)
    world.publish("news/local/today", [""], qos)
    expect("messages", subscriber.rest(),
           [f"news/local/today {qos} 0 {each}" for each in [*numbered(MANY - 1), ""]])


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
    for granted in (0, 1, 2):
        subscriber = world.subscriber(f"a/{granted}", granted, "%q %p", count=3)
        for sent in (0, 1, 2):
            world.publish(f"a/{granted}", ["x"], sent)
        expect(f"granted {granted}", subscriber.rest(), [f"{min(sent, granted)} x" for sent in (0, 1, 2)])


@scenario("v3 v5", "delivers_large_binary_payloads")
def _(world):
    payload = bytes(range(256)) * 2000
    subscriber = world.subscriber("large", 2, "%x", count=1)
    with tempfile.NamedTemporaryFile() as file:
        file.write(payload)
        file.flush()
        world.run("mosquitto_pub", "-t", "large", "-q", "2", "-f", file.name)
    expect("payload", subscriber.rest() == [payload.hex()], True)


# --- retained messages ----------------------------------------------------------------


@scenario("v3 v5", "keeps_the_last_retained_message")
def _(world):
    early = world.subscriber("state/+", 2, "%t %q %r %p", count=6)
    for qos in (0, 1, 2):
        for payload in ("old", "new"):
            world.publish(f"state/{qos}", [payload], qos, "-r")
    expect("to the early one", early.rest(),
           [f"state/{qos} {qos} 0 {payload}" for qos in (0, 1, 2) for payload in ("old", "new")])
    late = world.subscriber("state/#", 1, "%t %q %r %p", count=3)
    expect("to the late one", sorted(late.rest()), [f"state/{qos} {min(qos, 1)} 1 new" for qos in (0, 1, 2)])


@scenario("v3 v5", "deletes_a_retained_message")
def _(world):
    early = world.subscriber("state", 1, "%r %p", count=2)
    world.publish("state", ["on"], 1, "-r")
    between = world.start_subscriber("state", 1, "%r %p", count=1)
    expect("retained", between.rest(), ["1 on"])
    world.publish("state", [""], 1, "-r")
    expect("to the early one", early.rest(), ["0 on", "0 "])
    late = world.subscriber("state", 1, "%r %p", count=1)
    world.publish("state", ["not retained"], 1)
    expect("to the late one", late.rest(), ["0 not retained"])


@scenario("v5", "obeys_retain_as_published")
def _(world):
    world.publish("state", ["kept"], 1, "-r")
    plain = world.subscriber("state", 1, "%r %p", count=2)
    flagged = world.subscriber("state", 1, "%r %p", "--retain-as-published", count=2)
    world.publish("state", ["live"], 1, "-r")
    expect("not as published", plain.rest(), ["1 kept", "0 live"])
    expect("as published", flagged.rest(), ["1 kept", "1 live"])


# --- wills ----------------------------------------------------------------------------


def will(topic, qos, *options):
    return ("--will-topic", topic, "--will-payload", "gone", "--will-qos", str(qos), *options)


@scenario("v3 v5", "publishes_the_will_of_a_killed_client")
def _(world):
    for qos in (0, 1, 2):
        watcher = world.subscriber(f"wills/{qos}", 2, "%q %r %p", count=1)
        mortal = world.subscriber("whatever", 0, "%p", *will(f"wills/{qos}", qos, *(["--will-retain"] if qos else [])))
        mortal.kill()
        expect("will", watcher.rest(), [f"{qos} 0 gone"])
    late = world.subscriber("wills/#", 2, "%t %q %r %p", count=2)
    expect("retained wills", sorted(late.rest()), ["wills/1 1 1 gone", "wills/2 2 1 gone"])


@scenario("v3 v5", "forgets_the_will_of_a_client_that_disconnects")
def _(world):
    watcher = world.subscriber("wills/#", 1, "%t %p", count=1)
    polite = world.subscriber("whatever", 0, "%p", *will("wills/polite", 1), count=1)
    mortal = world.subscriber("something/else", 0, "%p", *will("wills/mortal", 1))
    world.publish("whatever", ["go"], 0)
    expect("last words", polite.rest(), ["go"])
    mortal.kill()
    expect("will", watcher.rest(), ["wills/mortal gone"])


@scenario("v5", "passes_the_properties_of_a_will_on")
def _(world):
    watcher = world.subscriber("wills/#", 1, "%C %R %D %P %p", count=1)
    properties = [("content-type", "text/plain"), ("response-topic", "answers"), ("correlation-data", "call-1"),
                  ("user-property", "b", "1"), ("user-property", "a", "2"), ("will-delay-interval", "1")]
    options = [word for each in properties for word in ("-D", "will", *each)]
    mortal = world.subscriber("whatever", 0, "%p", *will("wills/1", 1, *options), "-i", "mortal", "-x", "300", "-c")
    mortal.kill()
    expect("will", watcher.rest(), ["text/plain answers call-1 b:1 a:2 gone"])


# --- sessions -------------------------------------------------------------------------


def kept(world, name):
    return ("-i", name, "-c", *(["-x", "300"] if world.version == "v5" else []))


@scenario("v3 v5", "resumes_a_session_with_its_queue")
def _(world):
    for qos in (1, 2):
        # -E: subscribe, then disconnect.
        world.run("mosquitto_sub", *kept(world, f"sleeper-{qos}"), "-t", f"a/{qos}", "-q", str(qos), "-E")
        world.publish(f"a/{qos}", numbered(MANY), qos)
        again = world.start_subscriber("something/else", qos, "%q %p", *kept(world, f"sleeper-{qos}"), count=MANY)
        expect("messages", again.rest(), [f"{qos} {each}" for each in numbered(MANY)])


@scenario("v3 v5", "keeps_the_session_of_a_killed_client")
def _(world):
    sleeper = world.subscriber("a", 1, "%p", *kept(world, "sleeper"), *will("wills", 1))
    watcher = world.subscriber("wills", 1, "%p", count=1)
    sleeper.kill()
    expect("will", watcher.rest(), ["gone"])
    world.publish("a", numbered(10), 1)
    again = world.start_subscriber("a", 1, "%p", *kept(world, "sleeper"), count=10)
    expect("messages", again.rest(), numbered(10))


@scenario("v3 v5", "discards_the_session_of_a_clean_start")
def _(world):
    world.run("mosquitto_sub", *kept(world, "sleeper"), "-t", "a", "-q", "1", "-E")
    world.publish("a", ["queued"], 1)
    world.run("mosquitto_sub", "-i", "sleeper", "-t", "b", "-q", "1", "-E")
    again = world.subscriber("a", 1, "%p", *kept(world, "sleeper"), count=1)
    world.publish("a", ["fresh"], 1)
    expect("messages", again.rest(), ["fresh"])


# --- shared subscriptions --------------------------------------------------------------


@scenario("v3 v5", "shares_messages_among_a_group")
def _(world):
    for qos in (0, 1, 2):
        alone = world.subscriber(f"jobs/{qos}", qos, "%p", count=MANY)
        members = [world.subscriber(f"$share/group/jobs/{qos}", qos, "%p") for _ in range(3)]
        world.publish(f"jobs/{qos}", numbered(MANY), qos)
        expect("without a group", alone.rest(), numbered(MANY))
        until("all arrived", lambda: sum(len(each.messages) for each in members) >= MANY, members)
        expect("each once", sorted(sum((each.messages for each in members), [])), sorted(numbered(MANY)))
        expect("all have work", all(each.messages for each in members), True)
        for member in members:
            member.kill()


# --- request and response, properties, mixed versions -----------------------------------


@scenario("v3 v5", "carries_request_and_response")
def _(world):
    responder = world.subscriber("service/echo", 1, "%p" if world.version == "v3" else "%R %D %p", count=1)
    extra = ["-D", "publish", "correlation-data", "call-1"] if world.version == "v5" else []
    call = world.start("mosquitto_rr", "-q", "1", "-t", "service/echo", "-e", "answers/me", "-m", "question", *extra)
    expect("request", responder.rest(), ["question" if world.version == "v3" else "answers/me call-1 question"])
    world.publish("answers/me", ["answer"], 1, *extra)
    expect("response", call.rest(), ["answer"])


@scenario("v5", "passes_properties_on")
def _(world):
    subscriber = world.subscriber("a/b", 1, "%A|%C|%D|%F|%R|%S|%P|%p", "-D", "subscribe", "subscription-identifier",
                                  "268435455", count=1)
    properties = [("content-type", "text/plain"), ("response-topic", "answers"), ("correlation-data", "call-1"),
                  ("payload-format-indicator", "1"), ("user-property", "b", "1"), ("user-property", "a", "2"),
                  ("user-property", "b", "3")]
    world.publish("a/b", ["x"], 1, *[word for each in properties for word in ("-D", "publish", *each)])
    expect("properties", subscriber.rest(), ["|text/plain|call-1|1|answers|268435455|b:1 a:2 b:3|x"])


@scenario("mixed", "exchanges_messages_between_versions")
def _(world):
    versions = ("v31", "v3", "v5")
    readers = [world.subscriber("room/#", 2, "%t %q %p", count=9, version=each) for each in versions]
    for version in versions:
        extra = ["-D", "publish", "user-property", "a", "1"] if version == "v5" else []
        for qos in (0, 1, 2):
            world.publish(f"room/{version}", ["hello"], qos, *extra, version=version)
    for reader in readers:
        expect("messages", sorted(reader.rest()),
               sorted(f"room/{version} {qos} hello" for version in versions for qos in (0, 1, 2)))


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in SCENARIOS:
        sys.exit(f"{__doc__}\nScenarios:\n  " + "\n  ".join(sorted(SCENARIOS)))
    version, function = SCENARIOS[arguments[0]]
    url = urlparse(arguments[1])
    function(World(version, url.hostname, url.port))


if __name__ == "__main__":
    main(sys.argv[1:])
