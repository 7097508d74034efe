# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC for the benchmarks: OVSDB and the control sockets of daemons."""

import collections
import json
import select
import socket
import time


class Rpc:
    """JSON-RPC 1.0 on a UNIX socket: OVSDB (RFC 7047) and unixctl."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.text = ""
        self.decoder = json.JSONDecoder()
        self.id = 0
        self.notes = collections.deque()

    def _receive(self, timeout):
        """Returns a message, or None if none comes in time."""
        deadline = time.monotonic() + timeout
        while True:
            self.text = self.text.lstrip()
            if self.text:
                try:
                    msg, end = self.decoder.raw_decode(self.text)
                    self.text = self.text[end:]
                    return msg
                except ValueError:
                    pass
            left = max(0, deadline - time.monotonic())
            if not select.select([self.sock], [], [], left)[0]:
                return None
            chunks = []
            while select.select([self.sock], [], [], 0)[0]:
                data = self.sock.recv(1 << 20)
                if not data:
                    raise EOFError("connection closed")
                chunks.append(data)
            self.text += b"".join(chunks).decode()

    def send(self, method, params):
        self.id += 1
        self.sock.sendall(json.dumps(
            {"id": self.id, "method": method, "params": params}).encode())
        return self.id

    def wait_reply(self, number, timeout=300):
        while True:
            msg = self._receive(timeout)
            if msg is None:
                raise TimeoutError("no reply")
            if msg.get("method") == "echo":
                self.sock.sendall(json.dumps(
                    {"id": msg["id"], "result": msg["params"],
                     "error": None}).encode())
            elif "method" in msg and msg["method"]:
                self.notes.append(msg)
            elif msg["id"] == number:
                if msg["error"]:
                    raise RuntimeError(msg["error"])
                return msg["result"]

    def call(self, method, *params):
        return self.wait_reply(self.send(method, list(params)))

    def note(self, timeout):
        """Returns a notification, or None."""
        if self.notes:
            return self.notes.popleft()
        msg = self._receive(timeout)
        if msg and msg.get("method") == "echo":
            self.sock.sendall(json.dumps(
                {"id": msg["id"], "result": msg["params"],
                 "error": None}).encode())
            return None
        return msg if msg and msg.get("method") else None

    def transact(self, database, *ops):
        """Returns the results of OVSDB operations, or raises."""
        result = self.call("transact", database, *ops)
        for r in result:
            if r and "error" in r:
                raise RuntimeError("%s: %s" % (r["error"],
                                               r.get("details", "")))
        return result
