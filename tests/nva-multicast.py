# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0

"""Multicast applications, for tests.

    join GROUP FILE         join GROUP on eth0 and write what arrives to FILE
    watch FILE              the same for what arrives at eth0 by itself, from
                            the beginning, and for queries and IGMPv2 reports
    send GROUP FROM TO MS   send the numbers FROM to TO, one each MS ms
    query MAC IP GROUP      ask who is a member of GROUP, or, if it is
                            224.0.0.1, of any
    rubbish MAC IP N        send N frames from MAC and IP that may look like
                            IGMP and MLD, as fast as possible

join and watch write "ready" first, a number for each datagram, and run until
they are ended."""

import random
import signal
import socket
import struct
import sys
import time

PORT = 5000
ETH_P_ALL = 3


def is_ipv6(group):
    return ':' in group


def udp_socket(group):
    return socket.socket(socket.AF_INET6 if is_ipv6(group)
                         else socket.AF_INET, socket.SOCK_DGRAM)


def say(f, line):
    f.write(line + '\n')
    f.flush()


def join(group, path):
    s = udp_socket(group)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((group, PORT))
    index = socket.if_nametoindex('eth0')
    if is_ipv6(group):
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                     socket.inet_pton(socket.AF_INET6, group) +
                     struct.pack('@I', index))
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                     socket.inet_aton(group) + struct.pack('@4si', b'\0' * 4,
                                                           index))
    with open(path, 'w') as f:
        say(f, 'ready')
        while True:
            say(f, s.recv(2048).decode())


def describe(frame):
    """Returns what 'watch' says about a frame, or None."""
    ethertype, = struct.unpack_from('!H', frame, 12)
    if ethertype == 0x0800:
        header_len = (frame[14] & 0xf) * 4
        proto, l4 = frame[23], frame[14 + header_len:]
        if proto == socket.IPPROTO_IGMP and l4[0] == 0x11:
            return 'query from ' + socket.inet_ntoa(frame[26:30])
        if proto == socket.IPPROTO_IGMP and l4[0] == 0x16:
            return 'report from ' + socket.inet_ntoa(frame[26:30])
    elif ethertype == 0x86dd:
        proto, l4 = frame[20], frame[54:]
        if proto == 0 and l4[0] == socket.IPPROTO_ICMPV6 and l4[8] == 130:
            return 'query from ' + socket.inet_ntop(socket.AF_INET6,
                                                    frame[22:38])
    else:
        return None
    if (proto == socket.IPPROTO_UDP and frame[0] & 1 and
            struct.unpack_from('!H', l4, 2) == (PORT,)):
        return l4[8:].decode()
    return None


def packet_socket():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                      socket.htons(ETH_P_ALL))
    s.bind(('eth0', ETH_P_ALL))
    return s


def watch(path):
    s = packet_socket()
    with open(path, 'w') as f:
        say(f, 'ready')
        while True:
            frame, address = s.recvfrom(2048)
            if address[2] != socket.PACKET_OUTGOING:
                line = describe(frame)
                if line is not None:
                    say(f, line)


def send(group, first, last, ms):
    s = udp_socket(group)
    index = socket.if_nametoindex('eth0')
    if is_ipv6(group):
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 8)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                     struct.pack('@4s4si', b'\0' * 4, b'\0' * 4, index))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 8)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    for i in range(first, last + 1):
        s.sendto(str(i).encode(), (group, PORT))
        time.sleep(ms / 1000)


def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def igmp_frame(mac, ip, group, data):
    header = bytearray(struct.pack(
        '!BBHHHBBH4s4s', 0x45, 0, 20 + len(data), 0, 0, 1,
        socket.IPPROTO_IGMP, 0, socket.inet_aton(ip),
        socket.inet_aton(group)))
    header[10:12] = checksum(bytes(header)).to_bytes(2, 'big')
    dst = b'\x01\0\x5e' + bytes([header[17] & 0x7f]) + header[18:20]
    return (dst + bytes.fromhex(mac.replace(':', '')) + b'\x08\0' + header +
            data)


def query(mac, ip, group):
    about = '0.0.0.0' if group == '224.0.0.1' else group
    data = bytearray(b'\x11\x0a\0\0' + socket.inet_aton(about))
    data[2:4] = checksum(bytes(data)).to_bytes(2, 'big')
    packet_socket().send(igmp_frame(mac, ip, group, data))


def rubbish(mac, ip, n):
    s = packet_socket()
    rng = random.Random(n)
    for _ in range(n):
        data = bytearray(rng.randbytes(2 * rng.randrange(4, 40)))
        data[0] = rng.choice((0x11, 0x12, 0x16, 0x17, 0x22, 0x99))
        data[6:8] = (0, rng.choice((0, 1, 3, 255)))
        if rng.random() < .8:
            data[2:4] = (0, 0)
            data[2:4] = checksum(bytes(data)).to_bytes(2, 'big')
        frame = igmp_frame(mac, ip, rng.choice(('224.0.0.22', '239.1.1.1')),
                           data)
        s.send(frame[:rng.randrange(34, len(frame))]
               if rng.random() < .2 else frame)


def main():
    signal.signal(signal.SIGTERM, lambda *args: sys.exit(0))
    command, args = sys.argv[1], sys.argv[2:]
    if command == 'send':
        send(args[0], int(args[1]), int(args[2]), int(args[3]))
    elif command == 'query':
        query(*args)
    elif command == 'rubbish':
        rubbish(args[0], args[1], int(args[2]))
    else:
        {'join': join, 'watch': watch}[command](*args)


main()
