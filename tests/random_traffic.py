# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
#
# For random-moves: VMs that send each other numbered packets, and a count of
# where each number arrived and how often it went through the underlay.
#
# A VM is nothing but raw sockets, one at each of its places; it sends from the
# place where it lives.  No kernel speaks for it.

import select
import socket
import struct
import threading
import time

from netns import packet_socket

MAGIC = b"ovs-nva random move"
EVERYBODY = 0xffff
ANNOUNCEMENT = bytes.fromhex("034e5641")


def open_in(netns, device):
    """Returns a raw socket that does not block and holds much."""
    sock = packet_socket(netns, device)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setblocking(False)
    return sock


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class VM:
    """Also a host that does not move."""

    def __init__(self, index, name, vn, mac, ip, router=None):
        self.index, self.name, self.vn = index, name, vn
        self.mac, self.ip = bytes.fromhex(mac.replace(":", "")), ip
        # The MAC address of its gateway, if it has one.
        self.router = router and bytes.fromhex(router.replace(":", ""))
        self.sockets = {}           # By hypervisor.
        self.lives = None           # Where it runs, or None.
        self.settled = None         # Where it must be found ...
        self.since = 0              # ... by what is sent from then on.

    def is_neighbor(self, other):
        return self.vn == other.vn and self is not other

    def reaches(self, other):
        """Also through gateways."""
        return self.is_neighbor(other) or bool(
            self.vn != other.vn and self.router and other.router)

    def settle(self, place):
        self.settled, self.since = place, time.monotonic()

    def arp(self, op, target):
        """An announcement: ARP, or RARP for OP 3, about itself."""
        ip = socket.inet_aton(self.ip)
        if op == 3:
            body = struct.pack("!HHBBH", 1, 0x800, 6, 4, 3) \
                + (self.mac + bytes(4)) * 2
        else:
            body = struct.pack("!HHBBH", 1, 0x800, 6, 4, op) + self.mac + ip \
                + bytes(6) + ip
        return target + self.mac + (b"\x80\x35" if op == 3 else b"\x08\x06") \
            + body + bytes(18)

    def announce(self, how, to):
        """Says that it is here as HOW wants it; TO is another VM."""
        everybody = b"\xff" * 6
        frame = {"rarp": (3, everybody), "garp": (1, everybody),
                 "reply": (2, everybody), "unicast": (2, to.mac)}.get(how)
        if frame and self.lives:
            self.sockets[self.lives].send(self.arp(*frame))


class Traffic(threading.Thread):
    """Sends in the background.  'problems' has what must not be."""

    def __init__(self, vms, taps, rate):
        super().__init__(daemon=True)
        self.vms, self.taps, self.rate = vms, taps, rate
        self.lock = threading.Lock()
        self.ending = False
        self.problems = []
        self.numbers = {}           # Last number of (from, to).
        self.sent = {}              # (from, to, number): when
        self.got = {}               # (from, to, number): ["hv1"...]
        self.hops = {}              # (from, to, number): [outer header...]
        self.n_sent = self.n_got = 0

    def frame(self, vm, to):
        """Returns a packet of VM to another VM, or to EVERYBODY."""
        dst = EVERYBODY if to is EVERYBODY else to.index
        key = (vm.index, dst)
        number = self.numbers[key] = self.numbers.get(key, 0) + 1
        payload = MAGIC + struct.pack("!HHI", vm.index, dst, number)
        udp = struct.pack("!HHHH", 4000, 4000, 8 + len(payload), 0) + payload
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) \
            + socket.inet_aton(vm.ip) \
            + socket.inet_aton("255.255.255.255" if to is EVERYBODY else to.ip)
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        mac = (b"\xff" * 6 if to is EVERYBODY
               else to.mac if to.vn == vm.vn else vm.router)
        return key + (number,), mac + vm.mac + b"\x08\x00" + ip + udp

    def send(self, vm, to):
        """Sends one packet; returns its key, or None if VM does not run."""
        with self.lock:
            lives = vm.lives
            if not lives:
                return None
            key, frame = self.frame(vm, to)
            self.sent[key] = time.monotonic()
            self.n_sent += 1
            try:
                vm.sockets[lives].send(frame)
            except (BlockingIOError, OSError):
                pass                # The interface is down; it is lost.
            return key

    def neighbors(self, vm):
        return [v for v in self.vms if vm.is_neighbor(v)]

    def peers(self, vm):
        return [v for v in self.vms if vm.reaches(v)]

    def send_all(self, broadcast=False):
        """Returns the keys, and the VMs that shall get each."""
        keys = {}
        for vm in self.vms:
            for to in self.peers(vm):
                keys[self.send(vm, to)] = [to]
            if broadcast and self.neighbors(vm):
                keys[self.send(vm, EVERYBODY)] = self.neighbors(vm)
        keys.pop(None, None)
        return keys

    def complain(self, key, text):
        src, dst, number = key
        to = "everybody" if dst == EVERYBODY else self.vms[dst].name
        self.problems.append("packet %d of %s to %s: %s" % (
            number, self.vms[src].name, to, text))

    @staticmethod
    def find_key(data):
        at = data.find(MAGIC)
        if at < 0 or len(data) < at + len(MAGIC) + 8:
            return None
        return struct.unpack_from("!HHI", data, at + len(MAGIC))

    def received(self, vm, place, data):
        key = self.find_key(data)
        if key is None:
            return
        with self.lock:
            self.n_got += 1
            places = self.got.setdefault(key, [])
            src, dst, _number = key
            if self.vms[src] is vm:
                self.complain(key, "came back to " + vm.name)
            elif not self.vms[src].reaches(vm):
                self.complain(key, "reached %s of another network" % vm.name)
            elif dst not in (vm.index, EVERYBODY):
                self.complain(key, "reached " + vm.name)
            if dst == EVERYBODY:
                place = vm.name + " at " + place
                twice = place in places
            else:
                twice = bool(places)
            places.append(place)
            if twice:
                self.complain(key, "delivered twice: " + ", ".join(places))
            sent = self.sent.get(key)
            if vm.settled and not place.endswith(vm.settled) \
                    and sent and sent > vm.since:
                self.complain(key, "sent %.3f s after %s had settled at %s, "
                              "but delivered at %s" % (
                                  sent - vm.since, vm.name, vm.settled, place))

    def tunnelled(self, data):
        key = self.find_key(data)
        # Behind 50 bytes of Ethernet, IPv4, UDP and Geneve.
        if key is None or key[1] == EVERYBODY or data[50:54] == ANNOUNCEMENT:
            return
        with self.lock:
            hops = self.hops.setdefault(key, [])
            hops.append("protocol %d from %s to %s: %s" % (
                data[23], socket.inet_ntoa(data[26:30]),
                socket.inet_ntoa(data[30:34]), data[34:64].hex()))
            if len(hops) > 2:
                self.complain(key, "tunnelled %d times:\n%s" % (
                    len(hops), "\n".join(hops)))

    def read(self, owners, fd):
        owner = owners[fd]
        for _ in range(100):
            try:
                data, address = owner[0].recvfrom(2048)
            except (BlockingIOError, OSError):
                return
            if address[2] == socket.PACKET_OUTGOING:
                continue
            if len(owner) == 3:
                self.received(owner[1], owner[2], data)
            else:
                self.tunnelled(data)

    def run(self):
        owners = {}
        poll = select.poll()
        for vm in self.vms:
            for place, sock in vm.sockets.items():
                owners[sock.fileno()] = (sock, vm, place)
        for sock in self.taps:
            owners[sock.fileno()] = (sock,)
        for fd in owners:
            poll.register(fd, select.POLLIN)
        turn, due = 0, time.monotonic()
        while not self.ending:
            now = time.monotonic()
            if now >= due:
                self.send_all(broadcast=turn % 20 == 0)
                turn, due = turn + 1, max(due + 1 / self.rate, now)
            for fd, _ in poll.poll(max(0, 1000 * (due - now))):
                self.read(owners, fd)

    def forget(self):
        """Forgets packets that have long arrived."""
        old = time.monotonic() - 5
        with self.lock:
            for key in [k for k, when in self.sent.items() if when < old]:
                del self.sent[key]
                self.got.pop(key, None)
                self.hops.pop(key, None)
