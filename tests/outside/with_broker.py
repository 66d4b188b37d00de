#!/usr/bin/env python3
"""Runs a command beside a broker of its own.

usage: with_broker.py mqttrpcd=PATH COMMAND [ARGUMENT ...]
       with_broker.py mosquitto[=PATH] COMMAND [ARGUMENT ...]

The broker's URL is appended to the command; BROKER in its environment is the kind.
The exit status is 0 if the command's is, and the broker started and ended well.
When anything fails, the broker's log goes to standard error.
"""
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

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
        self.log_path = f"{folder}/broker.log"
        if kind == "mqttrpcd":
            command = [path, "--listen", "mqtt://127.0.0.1:0", "--log-level", "debug"]
            ready = r"^listening on (mqtt://\S+)"
        else:
            port = free_port()
            configuration = f"{folder}/mosquitto.conf"
            with open(configuration, "w") as file:
                # mqtt.js keeps to no Receive Maximum, and the default of mosquitto is 20.
                file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\n"
                           "log_type all\nlog_dest stderr\n")
            command = [path, "-c", configuration]
            ready = r"mosquitto version \S+ running"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        self.url = None
        deadline = time.monotonic() + START_SECONDS
        while self.url is None and self.process.poll() is None and time.monotonic() < deadline:
            found = re.search(ready, self.log(), re.MULTILINE)
            if found:
                self.url = found.group(1) if found.groups() else f"mqtt://127.0.0.1:{port}"
            else:
                time.sleep(0.01)  # Between two looks at the log.

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def end(self):
        """Ends it by SIGTERM; its exit status, or None if it had to be killed."""
        self.process.terminate()
        try:
            return self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


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
        lines = broker.log().splitlines()[-LOG_LINES:]
        print(f"--- log of {kind}", *lines, "--- what failed", *problems, sep="\n", file=sys.stderr, flush=True)
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
