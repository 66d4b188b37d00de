"""mosquitto's command line clients, with a deadline for everything that is waited for."""
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PATIENCE_SECONDS = 15
VERSIONS = {"v31": "mqttv31", "v3": "mqttv311", "v5": "mqttv5"}
GOT = "got "  # Before each message, to tell it from what -d prints.


def expect(what, actual, expected):
    if actual != expected:
        raise AssertionError(f"{what}\n  expected {shortened(expected)}\n  actual   {shortened(actual)}")


def shortened(value):
    text = repr(value)
    return text if len(text) < 3000 else text[:1500] + " ... " + text[-1500:]


class Program:
    """A running client and the messages it prints. Killed if this process dies."""

    def __init__(self, command, stdin=""):
        if not shutil.which(command[0]):
            sys.exit(f"there is no {command[0]}: install Debian's mosquitto-clients (./dev setup test)")
        self.messages = []  # Received and not taken yet.
        self.lines = []     # All output, for messages about failures.
        self._command = command
        self._unread = b""
        # Standard output of a pipe is buffered in blocks unless told otherwise.
        self._process = subprocess.Popen(["stdbuf", "-oL", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT,
                                         preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))
        self._process.stdin.write(stdin.encode())  # Less than a pipe holds.
        self._process.stdin.close()

    def fileno(self):
        return self._process.stdout.fileno()

    def read(self):
        """Reads what is there; False at the end of the output."""
        some = os.read(self.fileno(), 1 << 20)
        *lines, self._unread = (self._unread + some).split(b"\n")
        for line in lines:
            self.lines.append(line.decode(errors="replace"))
            if self.lines[-1].startswith(GOT):
                self.messages.append(self.lines[-1][len(GOT):])
        return bool(some)

    def until_line_with(self, text):
        until(f"'{text}'", lambda: any(text in each for each in self.lines), [self])

    def rest(self):
        """All messages to the end of the program, which must be a good one."""
        until("its end", lambda: False, [self], may_end=True)
        if self._process.wait(PATIENCE_SECONDS) != 0:
            raise AssertionError(f"ended with {self._process.returncode}: {self}")
        return self.messages

    def kill(self):
        self._process.kill()
        self._process.wait()

    def __str__(self):
        return "\n    ".join([" ".join(self._command), *(each[:200] for each in self.lines[-40:])])


def until(what, condition, programs, may_end=False):
    """Reads from the programs until the condition holds, or, if allowed, all have ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    running = list(programs)
    while not condition():
        readable = select.select(running, [], [], max(0, deadline - time.monotonic()))[0]
        if not readable:
            raise AssertionError("\n  ".join([f"not within {PATIENCE_SECONDS} s: {what}", *map(str, programs)]))
        for each in readable:
            if each.read():
                continue
            if not may_end:
                raise AssertionError(f"ended before {what}: {each}")
            running.remove(each)
        if not running:
            return


class World:
    """The broker's address, and the version to speak with it."""

    def __init__(self, version, host, port):
        self.version = version
        self._address = ["-h", host, "-p", str(port)]

    def start(self, program, *arguments, version=None, stdin=""):
        extra = ["-F", GOT + "%p"] if program == "mosquitto_rr" else []
        return Program([program, "-V", VERSIONS[version or self.version], *self._address, *extra, *arguments], stdin)

    def run(self, program, *arguments, **options):
        self.start(program, *arguments, **options).rest()

    def subscriber(self, *arguments, **options):
        """mosquitto_sub, subscribed; the arguments are those of start_subscriber()."""
        program = self.start_subscriber(*arguments, **options)
        program.until_line_with("Subscribed")
        return program

    def start_subscriber(self, topic_filter, qos, text, *options, count=None, version=None):
        """mosquitto_sub; it prints each message as `text` and ends after `count`."""
        ending = ["-C", str(count)] if count else []
        return self.start("mosquitto_sub", "-d", "-t", topic_filter, "-q", str(qos), "-F", GOT + text, *ending,
                          *options, version=version)

    def publish(self, topic, payloads, qos, *options, version=None):
        """All by one mosquitto_pub that does not wait in between."""
        if payloads == [""]:
            source, stdin = ["-n"], ""
        elif len(payloads) == 1:
            source, stdin = ["-m", payloads[0]], ""
        else:
            source, stdin = ["-l"], "".join(each + "\n" for each in payloads)
        self.run("mosquitto_pub", "-t", topic, "-q", str(qos), *source, *options, version=version, stdin=stdin)
