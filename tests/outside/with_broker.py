#!/usr/bin/env python3
"""Runs a command beside a broker of its own.

usage: with_broker.py mqttrpcd=PATH COMMAND [ARGUMENT ...]
       with_broker.py mosquitto[=PATH] COMMAND [ARGUMENT ...]

The broker's URL is appended to the command; BROKER in its environment is the kind.
The exit status is 0 if the command's is, and the broker started and ended well.
When anything fails, the broker's log goes to standard error.
"""
import collections
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

COMMAND_SECONDS = 40
START_SECONDS = 20
LOG_LINES = 300


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """A broker process; url is None if it did not come up."""

    def __init__(self, kind, path, folder):
        if kind == "mqttrpcd":
            command = [path, "--listen", "mqtt://127.0.0.1:0", "--log-level", "debug"]
            self._ready_line, known_url = r"^listening on (mqtt://\S+)", None
        else:
            port = free_port()
            configuration = f"{folder}/mosquitto.conf"
            with open(configuration, "w") as file:
                # mqtt.js keeps to no Receive Maximum, and the default of mosquitto is 20.
                file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\n"
                           "log_type all\nlog_dest stderr\n")
            command = [path, "-c", configuration]
            self._ready_line, known_url = r"mosquitto version \S+ running", f"mqtt://127.0.0.1:{port}"
        self.log = collections.deque(maxlen=LOG_LINES)
        self.url = None
        self._known_url = known_url
        self._started_or_ended = threading.Event()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._started_or_ended.wait(START_SECONDS)

    def _read(self):
        for line in self.process.stdout:
            self.log.append(line.decode(errors="replace").rstrip("\n"))
            found = self.url is None and re.search(self._ready_line, self.log[-1])
            if found:
                self.url = self._known_url or found.group(1)
                self._started_or_ended.set()
        self._started_or_ended.set()

    def end(self):
        """Ends it by SIGTERM; its exit status, or None if it had to be killed."""
        self.process.terminate()
        try:
            status = self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        self._reader.join(START_SECONDS)
        return status


def run(kind, path, command, folder):
    """Whether all went well; says what did not."""
    for _ in range(5 if kind == "mosquitto" else 1):  # Its port may have been taken meanwhile.
        broker = Broker(kind, path, folder)
        if broker.url:
            break
        broker.end()
    problems = []
    if not broker.url:
        problems.append(f"{kind} did not start")
    else:
        try:
            status = subprocess.run(command + [broker.url], stdin=subprocess.DEVNULL, timeout=COMMAND_SECONDS,
                                    preexec_fn=die_with_parent, env={**os.environ, "BROKER": kind}).returncode
            if status != 0:
                problems.append(f"{' '.join(command)} ended with {status}")
        except subprocess.TimeoutExpired:
            problems.append(f"{' '.join(command)} was still running after {COMMAND_SECONDS} s")
        if broker.process.poll() is not None:
            problems.append(f"{kind} ended by itself with {broker.process.returncode}")
        else:
            status = broker.end()
            if status != 0:
                problems.append(f"{kind} ended with {status} after SIGTERM")
    if problems:
        print(f"--- log of {kind}", *broker.log, "--- what failed", *problems, sep="\n", file=sys.stderr, flush=True)
    return not problems


def main(arguments):
    if len(arguments) < 2:
        sys.exit(__doc__)
    kind, _, path = arguments[0].partition("=")
    if kind not in ("mqttrpcd", "mosquitto") or (kind == "mqttrpcd" and not path):
        sys.exit(__doc__)
    if kind == "mosquitto":
        path = path or shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    for program in (path, arguments[1]):
        if not program or not shutil.which(program):
            sys.exit(f"there is no {program or kind}; './dev setup test' installs what tests need")
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if run(kind, path, arguments[1:], folder) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
