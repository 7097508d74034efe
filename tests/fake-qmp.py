# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""Plays the monitor of a QEMU for one client.

usage: fake-qmp.py SOCKET ANSWERS

ANSWERS is a JSON object with an answer for each command, an object that has
"return" or "error", and may have "events", a list of what is said after it,
so that it arrives together with it.
Without one, a command is carried out.  Prints the commands.
"""

import json
import os
import socket
import sys

answers = json.loads(sys.argv[2])
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + ".tmp")
listener.listen(1)
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
stream = listener.accept()[0].makefile("rw")


def say(*messages):
    try:
        stream.write("".join(json.dumps(m) + "\n" for m in messages))
        stream.flush()
    except BrokenPipeError:
        sys.exit()


say({"QMP": {"version": {}, "capabilities": []}})
for line in stream:
    command = json.loads(line)
    words = [command["execute"], *sorted(command.get("arguments", {}))]
    print(*words, flush=True)
    answer = dict(answers.get(words[0], {"return": {}}))
    events = answer.pop("events", [])
    say(answer, *[{"timestamp": {"seconds": 1, "microseconds": 2}, **event}
                  for event in events])
