# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""nva-relay.py A B DROP DOUBLE SWAP

Passes frames between interfaces A and B.  Of the packets of nva-traffic that
go from A to B, drops every DROPth, doubles every DOUBLEth, and delays every
SWAPth until after the next (0: never).  Prints "ready", and when its standard
input ends what it did.
"""
import select
import socket
import sys

MAGIC = b'NVAT'


def open_socket(dev):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)        # SO_RCVBUFFORCE
    s.bind((dev, 0))
    return s


def main():
    a, b = open_socket(sys.argv[1]), open_socket(sys.argv[2])
    drop, double, swap = (int(x) for x in sys.argv[3:6])
    n = dropped = doubled = swapped = 0
    held = None
    print('ready', flush=True)
    while True:
        readable = select.select([a, b, sys.stdin], [], [])[0]
        for s in readable:
            if s is sys.stdin:
                dropped += held is not None
                print('lost=%d\ndoubled=%d\nreordered=%d'
                      % (dropped, doubled, swapped))
                return
            frame, addr = s.recvfrom(4096)
            if addr[2] == socket.PACKET_OUTGOING:
                continue
            if s is b:
                a.send(frame)
                continue
            if MAGIC not in frame[-40:]:
                b.send(frame)
                continue
            n += 1
            if drop and n % drop == 0:
                dropped += 1
                continue
            if swap and n % swap == 0 and held is None:
                held = frame
                continue
            b.send(frame)
            if double and n % double == 0:
                doubled += 1
                b.send(frame)
            if held is not None:
                b.send(held)
                held = None
                swapped += 1


main()
