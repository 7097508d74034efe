# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""Tells what became of the packets that "test-guest probe" sent.

usage: qemu-judge.py PROBE MOVES

MOVES has a line "stop=SECONDS resume=SECONDS ..." for each move, as
nva-qmp-migrate prints it.

A packet that is echoed has two numbers, that of the peer and that of the
guest, which makes one more for each packet that it gets.  So what is missing
of the peer's numbers was lost on either way, what is missing of the guest's on
the way back.

The pause of a move is from the stop until the first packet comes from the
guest after the resume.  As a packet needs time to get there, what was sent up
to the slowest round trip before the stop may have met a guest that had
stopped already: the slowest of those whose packets came back before any stop.

Prints, in words that tests compare:

  tcp: ok, or what is wrong
  doubled, reordered: each way
  lost: outside of pauses, and of what the guest sent
  lost in pauses
and figures for people on standard error.
"""

import re
import sys


def descents(numbers):
    """How many of them come after one that is higher."""
    highest, n = -1, 0
    for i in numbers:
        n += i < highest
        highest = max(highest, i)
    return n


def read_probe(name):
    sent, echoes, tcp = [], [], ""
    with open(name) as f:
        for line in f:
            words = line.split(None, 3)
            if words[0] == "sent":
                sent.append(int(words[2]) / 1e9)
            elif words[0] == "echo":
                echoes.append((int(words[1]), int(words[2]),
                               int(words[3]) / 1e9))
            else:
                n_sent, n_echoed, error = line.split(None, 3)[1:]
                tcp = error.strip()
                if tcp == "ok" and (n_sent != n_echoed or n_sent == "0"):
                    tcp = "%s bytes sent, %s echoed" % (n_sent, n_echoed)
    return sent, echoes, tcp


def read_moves(name):
    moves = []
    with open(name) as f:
        for m in re.finditer(r"stop=([\d.]+) resume=([\d.]+)", f.read()):
            moves.append((float(m[1]), float(m[2])))
    return moves


def main():
    sent, echoes, tcp = read_probe(sys.argv[1])
    moves = read_moves(sys.argv[2])
    numbers = [e[0] for e in echoes]
    guest = [e[1] for e in echoes]
    # The guest's numbers begin where an earlier probe left off.
    first = min(guest)
    by_guest = sorted(set(zip(guest, numbers)))
    lost = sorted(set(range(len(sent))) - set(numbers))
    lost_from = max(guest) - first + 1 - len(set(guest))

    trips = [t - sent[n] for n, _, t in echoes
             if not moves or t < moves[0][0]]
    slowest = max(trips)
    pauses = []
    for stop, resume in moves:
        # A guest that was stopped sends nothing, but what it had sent may
        # still be under way.
        back = min((t for _, _, t in echoes if t > resume), default=resume)
        pauses.append((stop - slowest, back))
    outside = [n for n in lost
               if not any(a <= sent[n] <= b for a, b in pauses)]

    print("tcp: " + tcp)
    print("doubled: %d to the guest, %d from it"
          % (len(by_guest) - len({n for _, n in by_guest}),
             len(guest) - len(set(guest))))
    print("reordered: %d to the guest, %d from it"
          % (descents(n for _, n in by_guest), descents(guest)))
    print("lost: %d outside of pauses, %d from the guest"
          % (len(outside), lost_from))
    print("lost in pauses: %d" % (len(lost) - len(outside)))

    print("%d sent, slowest round trip before the moves %.1f ms"
          % (len(sent), slowest * 1e3), file=sys.stderr)
    for stop, resume in moves:
        before = max((t for _, _, t in echoes if t <= resume), default=stop)
        after = min((t for _, _, t in echoes if t > resume), default=resume)
        in_pause = [sent[n] - stop for n in lost
                    if stop - 0.5 < sent[n] < resume + 0.5]
        print("paused for %.1f ms; gap at the peer %.1f ms, ends %.1f ms "
              "after the resume; %d lost%s"
              % ((resume - stop) * 1e3, (after - before) * 1e3,
                 (after - resume) * 1e3, len(in_pause),
                 ", sent from %.1f to %.1f ms after the stop"
                 % (in_pause[0] * 1e3, in_pause[-1] * 1e3)
                 if in_pause else ""), file=sys.stderr)
    for n in outside[:20]:
        print("lost outside of pauses: %d, sent at %.6f" % (n, sent[n]),
              file=sys.stderr)


main()
