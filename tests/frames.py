#!/usr/bin/env python3
# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""Sends one frame from a network namespace and counts where it arrives.

    frames.py [OPTION...] KIND AT [NAMESPACE=COUNT...]

VM number N has the MAC address 0a:00:00:00:00:0N and the IP addresses
198.51.100.N and 2001:db8:1::N.  The frame is what VM --me=N says from the
namespace AT, about or to VM --to=N.  Waits until each NAMESPACE has got as
many copies as COUNT, at most 5 s, and then as long as a surplus copy may take;
prints what differs, and each frame to 01:80:c2:00:00:0X, 03:4e:56:41:XX:XX or
03:4e:56:43:XX:XX, which no VM may see.
With --any-destination, a copy to another MAC address counts, too.
With --answers, prints instead what AT hears in answer.
"""

import argparse
import os
import select
import socket
import struct
import sys
import time

from netns import packet_socket

BROADCAST = b"\xff" * 6
NET6 = "2001:db8:1::"
DEADLINE, SURPLUS = 5, 0.3


def mac(n):
    return bytes([0x0a, 0, 0, 0, 0, n])


def ip4(n):
    return socket.inet_aton("198.51.100.%d" % n)


def ip6(n):
    return socket.inet_pton(socket.AF_INET6, "%s%x" % (NET6, n))


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", ~total & 0xffff)


def arp(a, dst, op, tha, tpa, ethertype=0x806, spa=None):
    return (dst + mac(a.mac) + struct.pack("!HHHBBH", ethertype, 1, 0x800,
                                           6, 4, op)
            + mac(a.sha) + (ip4(a.ip) if spa is None else spa) + tha + tpa)


def icmp6(a, dst_mac, src, dst, kind, flags, target, option):
    body = struct.pack("!BBHI", kind, 0, 0, flags) + target + option
    pseudo = src + dst + struct.pack("!II", len(body), 58)
    body = body[:2] + checksum(pseudo + body) + body[4:]
    return (dst_mac + mac(a.mac) + b"\x86\xdd"
            + struct.pack("!IHBB", 6 << 28, len(body), 58, 255)
            + src + dst + body)


def solicited(target):
    return bytes.fromhex("ff0200000000000000000001ff") + target[13:]


def ns(a, src, target, option):
    dst = solicited(target)
    return icmp6(a, b"\x33\x33" + dst[12:], src, dst, 135, 0, target, option)


def na(a, dst_mac, dst, flags):
    return icmp6(a, dst_mac, ip6(a.ip), dst, 136, flags, ip6(a.ip),
                 b"\x02\x01" + mac(a.sha))


def udp4(a, dst_mac, dst):
    payload = struct.pack("!HHHH", 4242, 4242, 8 + 16, 0) + os.urandom(16)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, 17,
                       0) + ip4(a.ip) + dst
    return (dst_mac + mac(a.mac) + b"\x08\x00"
            + head[:10] + checksum(head) + head[12:] + payload)


def udp6(a, dst_mac, dst):
    payload = struct.pack("!HHHH", 4242, 4242, 8 + 16, 0) + os.urandom(16)
    pseudo = ip6(a.ip) + dst + struct.pack("!II", len(payload), 17)
    payload = payload[:6] + checksum(pseudo + payload) + payload[8:]
    return (dst_mac + mac(a.mac) + b"\x86\xdd"
            + struct.pack("!IHBB", 6 << 28, len(payload), 17, 64)
            + ip6(a.ip) + dst + payload)


def ip4_frame(a, proto, payload, offset=0, total=None):
    """What VM --me says to VM --to; 'offset' is that of a fragment."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, total or 20 + len(payload), 1,
                       offset, 64, proto, 0) + ip4(a.ip) + ip4(a.to)
    return (mac(a.to) + mac(a.mac) + b"\x08\x00"
            + head[:10] + checksum(head) + head[12:] + payload)


def ip6_frame(a, proto, payload):
    return (mac(a.to) + mac(a.mac) + b"\x86\xdd"
            + struct.pack("!IHBB", 6 << 28, len(payload), proto, 64)
            + ip6(a.ip) + ip6(a.to) + payload)


def icmp4_error(a):
    """"Port unreachable", in answer to something that VM --to sent."""
    quoted = udp4(argparse.Namespace(mac=a.to, ip=a.to), mac(a.mac),
                  ip4(a.ip))[14:42]
    body = b"\3\3\0\0" + bytes(4) + quoted
    return ip4_frame(a, 1, body[:2] + checksum(body) + body[4:])


def icmp6_message(a, kind, code):
    quoted = udp6(argparse.Namespace(mac=a.to, ip=a.to), mac(a.mac),
                  ip6(a.ip))[14:62]
    return icmp6(a, mac(a.to), ip6(a.ip), ip6(a.to), kind, code, quoted, b"")


ALL_NODES = bytes.fromhex("ff02" + "00" * 13 + "01")
ALL_NODES_MAC = b"\x33\x33\0\0\0\1"
KINDS = {
    "garp-request": lambda a: arp(a, BROADCAST, 1, bytes(6), ip4(a.ip)),
    "arp-reply-broadcast": lambda a: arp(a, BROADCAST, 2, mac(a.sha),
                                         ip4(a.ip)),
    "arp-request": lambda a: arp(a, BROADCAST, 1, bytes(6), ip4(a.to)),
    "arp-reply": lambda a: arp(a, mac(a.to), 2, mac(a.to), ip4(a.to)),
    # RFC 5227.
    "arp-probe": lambda a: arp(a, BROADCAST, 1, bytes(6), ip4(a.to),
                               spa=bytes(4)),
    # As QEMU announces a VM, and as a VM asks that boots (RFC 903).
    "rarp": lambda a: arp(a, BROADCAST, 3, mac(a.sha), bytes(4), 0x8035,
                          bytes(4)),
    "rarp-other": lambda a: arp(a, BROADCAST, 3, mac(a.to), bytes(4), 0x8035,
                                bytes(4)),
    "rarp-unicast": lambda a: arp(a, mac(a.to), 3, mac(a.sha), bytes(4),
                                  0x8035, bytes(4)),
    "na-unsolicited": lambda a: na(a, ALL_NODES_MAC, ALL_NODES, 0x20000000),
    "na-solicited": lambda a: na(a, mac(a.to), ip6(a.to), 0x60000000),
    "ns": lambda a: ns(a, ip6(a.ip), ip6(a.to), b"\x01\x01" + mac(a.sha)),
    "dad": lambda a: ns(a, bytes(16), ip6(a.to), b""),
    "udp4": lambda a: udp4(a, mac(a.to), ip4(a.to)),
    "udp6": lambda a: udp6(a, mac(a.to), ip6(a.to)),
    "icmp4-error": icmp4_error,
    "icmp6-error": lambda a: icmp6_message(a, 1, 0),
    "icmp6-redirect": lambda a: icmp6_message(a, 137, 0),
    "udp4-fragment": lambda a: ip4_frame(a, 17, os.urandom(24), offset=3),
    "udp6-fragment": lambda a: ip6_frame(
        a, 44, struct.pack("!BBHI", 17, 0, 3 << 3, 1) + os.urandom(24)),
    "udp4-malformed": lambda a: ip4_frame(a, 17, os.urandom(24), total=19),
    "udp4-broadcast": lambda a: udp4(a, BROADCAST, b"\xff" * 4),
    "udp6-multicast": lambda a: udp6(a, ALL_NODES_MAC, ALL_NODES),
    # An EtherType for local experiments: no address can be checked.
    "unknown": lambda a: mac(a.to) + mac(a.mac) + b"\x88\xb6" + os.urandom(46),
}


def received(sockets, seconds):
    """Yields (socket, frame) of what comes in during that time."""
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        ready = select.select(sockets, [], [], max(0, left))[0]
        for s in ready:
            frame, address = s.recvfrom(2000)
            if address[2] != socket.PACKET_OUTGOING:
                yield s, frame
        if left <= 0:
            return


def describe_answer(frame):
    """Returns what an answer of ARP, RARP or ND says, or None."""
    def hw(b):
        return ":".join("%02x" % x for x in b)

    dst = hw(frame[:6])
    op = frame[21:22]
    if frame[12:14] == b"\x08\x06" and op == b"\x02":
        return "%s is at %s, to %s" % (socket.inet_ntoa(frame[28:32]),
                                       hw(frame[22:28]), dst)
    if frame[12:14] == b"\x80\x35" and op == b"\x04":
        return "%s is %s, to %s" % (hw(frame[32:38]),
                                    socket.inet_ntoa(frame[38:42]), dst)
    if frame[12:14] == b"\x86\xdd" and frame[54:55] == b"\x88":
        return "%s is %s, to %s" % (
            socket.inet_ntop(socket.AF_INET6, frame[62:78]),
            "at " + hw(frame[80:86]) if len(frame) >= 86 else "taken", dst)
    return None


def print_answers(args, sender):
    for _, frame in received([sender], DEADLINE):
        answer = describe_answer(frame)
        if answer:
            print(answer)
            break
    for _, frame in received([sender], SURPLUS):
        answer = describe_answer(frame)
        if answer:
            print(answer)


def count(args, frame, watched):
    wanted = {s: int(where.split("=")[1])
              for s, where in zip(watched, args.where)}
    got = {s: 0 for s in watched}

    def note(s, f):
        if f.startswith(frame) or (args.any_destination
                                   and f[6:].startswith(frame[6:])):
            got[s] += 1
        if f.startswith((b"\x01\x80\xc2\x00\x00", b"\x03NVA",
                         b"\x03NVC")):
            print("a VM has seen", f.hex())

    for s, f in received(watched, DEADLINE if any(wanted.values()) else 0):
        note(s, f)
        if all(got[s] >= wanted[s] for s in watched):
            break
    for s, f in received(watched, SURPLUS):
        note(s, f)
    for s, where in zip(watched, args.where):
        if got[s] != wanted[s]:
            print("%s: %d copies, not %d" % (where.split("=")[0], got[s],
                                             wanted[s]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--prefix", default="")
    parser.add_argument("--me", type=int, default=1)
    parser.add_argument("--to", type=int, default=3)
    parser.add_argument("--mac", type=int, help="Ethernet source, not --me")
    parser.add_argument("--sha", type=int, help="ARP or ND's, not --mac")
    parser.add_argument("--ip", type=int, help="source, not --me")
    parser.add_argument("--any-destination", action="store_true")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--net6", default=NET6)
    parser.add_argument("--answers", action="store_true")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("at")
    parser.add_argument("where", nargs="*", metavar="NAMESPACE=COUNT")
    args = parser.parse_args()
    globals()["NET6"] = args.net6
    args.mac = args.me if args.mac is None else args.mac
    args.sha = args.mac if args.sha is None else args.sha
    args.ip = args.me if args.ip is None else args.ip

    sender = packet_socket(args.prefix + args.at, "eth0")
    watched = [packet_socket(args.prefix + w.split("=")[0], "eth0")
               for w in args.where]
    frame = KINDS[args.kind](args)
    frame += bytes(max(0, 60 - len(frame)))
    for _ in range(args.count):
        sender.send(frame)
    if args.answers:
        print_answers(args, sender)
    else:
        count(args, frame, watched)


if __name__ == "__main__":
    sys.exit(main())
