"""Paho clients driven by one thread, with a deadline for everything they wait for."""
import select
import socket
import sys
import time

try:
    import paho.mqtt.client as paho
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCodes
    from paho.mqtt.subscribeoptions import SubscribeOptions
except ImportError as error:
    sys.exit(f"{error}: install Debian's python3-paho-mqtt (./dev setup test) and run this with /usr/bin/python3")

PATIENCE_SECONDS = 15
KEPT_SECONDS = 300
PROTOCOLS = {"v31": paho.MQTTv31, "v3": paho.MQTTv311, "v5": paho.MQTTv5}


def expect(what, actual, expected):
    if actual != expected:
        raise AssertionError(f"{what}\n  expected {shortened(expected)}\n  actual   {shortened(actual)}")


def shortened(value):
    text = repr(value)
    return text if len(text) < 3000 else text[:1500] + " ... " + text[-1500:]


def properties(packet, **values):
    result = Properties(getattr(PacketTypes, packet))
    for name, value in values.items():
        setattr(result, name, value)
    return result


class World:
    """All clients of a scenario, and the broker's address."""

    def __init__(self, version, host, port):
        self.version = version
        self.address = (host, port)
        self.peers = []

    @staticmethod
    def now():
        return time.monotonic()

    def until(self, what, condition):
        """Serves all clients until the condition holds; fails after PATIENCE_SECONDS."""
        deadline = self.now() + PATIENCE_SECONDS
        while not condition():
            left = deadline - self.now()
            if left <= 0:
                state = "\n  ".join(each.summary() for each in self.peers)
                raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}\n  {state}")
            self.serve(left)

    def serve(self, seconds):
        sockets = {each.client.socket(): each.client for each in self.peers if each.client.socket()}
        writers = [each for each, client in sockets.items() if client.want_write()]
        readable, writable, _ = select.select(list(sockets), writers, [], seconds)
        for each in writable:
            sockets[each].loop_write()
        for each in readable:
            sockets[each].loop_read()


class Peer:
    """One client; connected when the constructor returns.

    kept: the session is resumed if there is one, and outlives the connection.
    will: topic, payload, QoS, retain.
    """

    def __init__(self, world, name, kept=False, will=None, will_properties=None, version=None):
        self.world = world
        self.name = name
        self.version = version or world.version
        self.messages = []       # Received and not taken yet.
        self.connected = False
        self.session_present = None
        self.reason = None       # Why the connection ended, if it was said.
        self._granted = {}       # By packet identifier.
        self._unsubscribed = set()
        self._published = set()
        options = {} if self.version == "v5" else {"clean_session": not kept}
        self.client = paho.Client(name, protocol=PROTOCOLS[self.version], **options)
        self.client.max_inflight_messages_set(20)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = lambda client, userdata, message: self.messages.append(message)
        self.client.on_subscribe = self._on_subscribe
        self.client.on_unsubscribe = lambda client, userdata, mid, *rest: self._unsubscribed.add(mid)
        self.client.on_publish = lambda client, userdata, mid: self._published.add(mid)
        if will:
            self.client.will_set(*will, **({"properties": will_properties} if will_properties else {}))
        if self.version == "v5":
            extra = {"clean_start": not kept}
            if kept:
                extra["properties"] = properties("CONNECT", SessionExpiryInterval=KEPT_SECONDS)
        else:
            extra = {}
        self.client.connect(*world.address, keepalive=60, **extra)
        world.peers.append(self)
        world.until(f"{name} is connected", lambda: self.connected or self.reason is not None)
        if not self.connected:
            raise AssertionError(f"{name} was refused: {self.reason}")

    def subscribe(self, topic_filter, qos, identifier=None, **options):
        """What was granted."""
        if self.version == "v5":
            extra = {"properties": properties("SUBSCRIBE", SubscriptionIdentifier=identifier)} if identifier else {}
            names = {"no_local": "noLocal", "retain_as_published": "retainAsPublished",
                     "retain_handling": "retainHandling"}
            chosen = SubscribeOptions(qos=qos, **{names[name]: value for name, value in options.items()})
            _, mid = self.client.subscribe(topic_filter, options=chosen, **extra)
        else:
            _, mid = self.client.subscribe(topic_filter, qos)
        self.world.until(f"{self.name} is subscribed to {topic_filter}", lambda: mid in self._granted)
        return self._granted[mid]

    def unsubscribe(self, topic_filter):
        _, mid = self.client.unsubscribe(topic_filter)
        self.world.until(f"{self.name} is unsubscribed from {topic_filter}", lambda: mid in self._unsubscribed)

    def publish(self, topic, payload, qos, **options):
        self.publish_all(topic, [payload], qos, **options)

    def publish_all(self, topic, payloads, qos, **options):
        """Publishes all without waiting in between, then waits for all acknowledgements."""
        mids = {self.client.publish(topic, each, qos, **options).mid for each in payloads}
        self.world.until(f"{self.name} has published to {topic}", lambda: mids <= self._published)

    def next_message(self):
        self.world.until(f"a message for {self.name}", lambda: self.messages)
        return self.messages.pop(0)

    def payloads(self, topic=None):
        return [each.payload for each in self.messages if topic in (None, each.topic)]

    def disconnect(self, reason=0x00, session_expiry=None):
        """Ends in good order, and returns when the broker has closed the connection."""
        extra = {}
        if self.version == "v5":
            extra["reasoncode"] = ReasonCodes(PacketTypes.DISCONNECT, identifier=reason)
            if session_expiry is not None:
                extra["properties"] = properties("DISCONNECT", SessionExpiryInterval=session_expiry)
        self.client.disconnect(**extra)
        self.world.until(f"{self.name} is disconnected", lambda: not self.connected)

    def cut(self):
        """Closes the connection with no DISCONNECT before."""
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.world.until(f"{self.name} is cut", lambda: not self.connected)

    def summary(self):
        return (f"{self.name}: {self.version} {'connected' if self.connected else 'gone'}, reason {self.reason}, "
                f"{len(self.messages)} messages, the last {[(m.topic, m.payload[:30]) for m in self.messages[-3:]]}")

    def _on_connect(self, client, userdata, flags, code, *rest):
        self.session_present = bool(flags["session present"])
        if number(code) == 0:
            self.connected = True
        else:
            self.reason = number(code)

    def _on_disconnect(self, client, userdata, code, *rest):
        self.connected = False
        self.reason = number(code)

    def _on_subscribe(self, client, userdata, mid, granted, *rest):
        self._granted[mid] = [number(each) for each in granted]


def number(code):
    return code.value if isinstance(code, ReasonCodes) else code
