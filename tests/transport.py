#!/usr/bin/python3
# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
#
# Moves a VM to and fro under connections of several transport protocols at
# once, and checks that they go on as if nothing had happened (V6).
#
# The VM is a network namespace with a kernel of its own, so to speak: its TCP
# connections live there all the time.  The part of its hypervisors is played
# here: frames are carried between the VM and its interface at the place where
# it runs.  A VM that is stopped is one whose frames are not carried; they wait
# in the sockets.
#
# Transports: TCP and, if the kernel has it, SCTP, both ways, of which all
# bytes must arrive as they were sent; UDP, IP protocol 253 (RFC 3692, for
# experiments), both ways, and ICMP echo, whose packets are numbered.

import argparse
import collections
import errno
import hashlib
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

from netns import ETH_P_ALL, entered

SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
SO_RCVBUFFORCE = 33
IPPROTO_SCTP = 132
IPPROTO_EXPERIMENT = 253

# Longest wait for a packet that is under way, in s.
ARRIVE_MAX = 20

# What the hypervisor does, over and over.
WAYS = ["hold", "announce", "hold", "now", "hold", "data", "hold", "activate"]


class Failure(Exception):
    """Something is not as it must be."""


def wait_for(what, condition):
    until = time.monotonic() + ARRIVE_MAX
    while not condition():
        if time.monotonic() > until:
            raise Failure(what())
        time.sleep(.02)


class Hypervisors(threading.Thread):
    """Carries frames between the VM, whose other end is the device "wire" in
    namespace WIRE, and the interface where it runs."""

    def __init__(self, wire, places):
        super().__init__(daemon=True)
        self.lock = threading.Lock()
        self.wire = self.open(wire, "wire")
        self.places = {hv: self.open(ns, "eth0") for hv, ns in places.items()}
        self.at = None              # Where the VM runs.

    @staticmethod
    def open(ns, device):
        with entered(ns):
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                 socket.htons(ETH_P_ALL))
            sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
            sock.bind((device, ETH_P_ALL))
            sock.setblocking(False)
            return sock

    @staticmethod
    def carry(source, to):
        """Carries what SOURCE has; returns how many frames for one VM these
        were.  TO may be null."""
        n = 0
        while True:
            try:
                frame = source.recv(65536)
            except BlockingIOError:
                return n
            n += not frame[0] & 1
            if to:
                to.send(frame)

    def run(self):
        while True:
            with self.lock:
                at = self.places.get(self.at)
                if at:
                    self.carry(self.wire, at)
                    self.carry(at, self.wire)
            # The VM may have been stopped or moved when this returns.
            select.select([self.wire, at] if at else [], [], [], .002)

    def stop(self):
        """The VM stops.  What has come before it has got."""
        with self.lock:
            self.carry(self.places[self.at], self.wire)
            self.at = None

    def resume(self, hv, announcement=None):
        with self.lock:
            if announcement:
                self.places[hv].send(announcement)
            self.at = hv

    def forget(self, hv):
        """Throws away what has come to a place where the VM does not run;
        returns how many frames that was."""
        with self.lock:
            return self.carry(self.places[hv], None)


class Stream:
    """A connection.  Each end sends blocks of random bytes; 'ends' has one
    list [bytes, digest sent, bytes, digest received] for each way."""

    BLOCK, INTERVAL = 10000, .02

    def __init__(self, name, proto, vm, peer, port):
        self.name = name
        with entered(peer[0]):
            server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, proto)
        server.bind((peer[1], port))
        server.listen(1)
        with entered(vm[0]):
            one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, proto)
        one.settimeout(ARRIVE_MAX)
        one.connect((peer[1], port))
        other = server.accept()[0]
        self.sockets = [one, other]
        self.ending = False
        self.sent = [0, 0]
        self.received = [0, 0]
        self.errors = []
        self.digests = [[hashlib.sha256(), hashlib.sha256()] for _ in range(2)]
        self.threads = []
        for i, (source, to) in enumerate([(one, other), (other, one)]):
            source.settimeout(None)
            for method, sock in [(self.send, source), (self.receive, to)]:
                self.threads.append(threading.Thread(
                    target=self.guard, args=(method, i, sock), daemon=True))

    def start(self):
        for thread in self.threads:
            thread.start()

    def guard(self, method, *args):
        try:
            method(*args)
        except (OSError, EOFError) as e:
            self.errors.append(str(e))

    def send(self, way, sock):
        while not self.ending:
            block = os.urandom(self.BLOCK)
            sock.sendall(struct.pack("!I", len(block)) + block)
            self.digests[way][0].update(block)
            self.sent[way] += len(block)
            time.sleep(self.INTERVAL)
        sock.sendall(struct.pack("!I", 0))

    @staticmethod
    def read(sock, n):
        data = b""
        while len(data) < n:
            more = sock.recv(n - len(data))
            if not more:
                raise EOFError("closed by the other end")
            data += more
        return data

    def receive(self, way, sock):
        while True:
            n, = struct.unpack("!I", self.read(sock, 4))
            if not n:
                return
            block = self.read(sock, n)
            self.digests[way][1].update(block)
            self.received[way] += n

    def check_alive(self):
        if self.errors:
            raise Failure("%s: %s" % (self.name, self.errors[0]))

    def check_goes_on(self):
        """Bytes arrive that have not been sent yet, both ways."""
        targets = [n + self.BLOCK for n in self.sent]
        wait_for(lambda: "%s: stands still" % self.name,
                 lambda: self.errors or all(
                     r >= t for r, t in zip(self.received, targets)))
        self.check_alive()

    def end(self):
        self.ending = True
        for thread in self.threads:
            thread.join(ARRIVE_MAX)
            if thread.is_alive():
                self.errors.append("does not come to its end")
        self.check_alive()
        for sent, received in self.digests:
            if sent.digest() != received.digest():
                raise Failure("%s: other bytes arrived than were sent"
                              % self.name)
        print("%s: %d and %d bytes" % (self.name, *self.sent))


class Numbered:
    """Numbered packets from one end to the other."""

    def __init__(self, name, source, sink, to, rate):
        self.name, self.source, self.sink, self.to = name, source, sink, to
        self.interval = 1 / rate
        self.n_sent = 0
        self.counts = collections.Counter()
        self.ending = False

    def start(self):
        for target in (self.send_all, self.receive_all):
            threading.Thread(target=target, daemon=True).start()

    def send_all(self):
        while not self.ending:
            try:
                self.source.sendto(self.make(self.n_sent), self.to)
                self.n_sent += 1
            except OSError as e:
                if e.errno != errno.ENOBUFS:
                    raise
            time.sleep(self.interval)

    def receive_all(self):
        while True:
            number = self.parse(self.sink.recv(65536))
            if number is not None:
                self.counts[number] += 1

    @staticmethod
    def make(number):
        return struct.pack("!Q", number)

    @staticmethod
    def parse(data):
        return struct.unpack("!Q", data[-8:])[0]

    def missing(self, first, last):
        return [n for n in range(first, last) if n not in self.counts]

    def check_whole(self, first, last):
        """All of these packets arrive."""
        wait_for(lambda: "%s: lost %s of %d to %d" % (
            self.name, self.missing(first, last)[:20], first, last),
                 lambda: not self.missing(first, last))

    def check_goes_on(self):
        """One arrives that has not been sent yet."""
        last = self.n_sent
        wait_for(lambda: "%s: stands still" % self.name,
                 lambda: max(self.counts, default=-1) >= last)

    def check_alive(self):
        doubled = [n for n, count in self.counts.copy().items() if count > 1]
        if doubled:
            raise Failure("%s: doubled %s" % (self.name, doubled[:20]))

    def end(self):
        self.ending = True
        time.sleep(.2)              # For one that comes twice.
        self.check_alive()
        print("%s: %d packets, %d lost" % (
            self.name, self.n_sent, len(self.missing(0, self.n_sent))))


class Echo(Numbered):
    """Echo requests; the answers are counted."""

    IDENT = 0x4e56

    @classmethod
    def make(cls, number):
        body = struct.pack("!HHQ", cls.IDENT, number & 0xffff, number)
        total = 0x800 + sum(struct.unpack("!6H", body))
        total = (total >> 16) + (total & 0xffff)
        total += total >> 16
        return struct.pack("!BBH", 8, 0, ~total & 0xffff) + body

    @classmethod
    def parse(cls, data):
        icmp = data[(data[0] & 15) * 4:]
        if icmp[0] != 0 or struct.unpack("!H", icmp[4:6])[0] != cls.IDENT:
            return None
        return struct.unpack("!Q", icmp[8:16])[0]


def open_at(end, kind, proto, port=0):
    """A socket with the address of END."""
    with entered(end[0]):
        sock = socket.socket(socket.AF_INET, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
    sock.bind((end[1], port))
    return sock


def open_flows(vm, peer, external):
    flows = [Stream("TCP", socket.IPPROTO_TCP, vm, peer, 5001)]
    try:
        flows.append(Stream("SCTP", IPPROTO_SCTP, vm, peer, 5001))
    except OSError as e:
        if e.errno != errno.EPROTONOSUPPORT:
            raise
        print("SCTP: not known to this kernel")
    for kind, proto, port, name in [
            (socket.SOCK_DGRAM, socket.IPPROTO_UDP, 5002, "UDP"),
            (socket.SOCK_RAW, IPPROTO_EXPERIMENT, 0, "protocol 253")]:
        at_vm = open_at(vm, kind, proto, port)
        at_peer = open_at(peer, kind, proto, port)
        flows += [Numbered(name + " from the VM", at_vm, at_peer,
                           (peer[1], port), 200),
                  Numbered(name + " to the VM", at_peer, at_vm,
                           (external or vm[1], port), 200)]
    # Nobody outside can begin something with an address that is translated.
    asking, asked = (vm, peer[1]) if external else (peer, vm[1])
    echo = open_at(asking, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    flows.append(Echo("ping", echo, echo, (asked, 0), 50))
    return flows


class Mover:
    def __init__(self, args, hypervisors):
        self.args, self.hypervisors = args, hypervisors
        mac = bytes.fromhex(args.mac.replace(":", ""))
        self.rarp = b"\xff" * 6 + mac + b"\x80\x35" + struct.pack(
            "!HHBBH", 1, 0x800, 6, 4, 3) + (mac + bytes(4)) * 2 + bytes(18)

    def ctl(self, *argv):
        return subprocess.run(
            ["nva-ctl", "--db=" + self.args.db, "--timeout=30", *argv],
            check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def move(self, way, old, new, meanwhile=None):
        """Moves the VM, and calls 'meanwhile' when all is prepared.  Returns
        how many frames were left at the old place or had come to the new one
        before there was a move."""
        vm, hypervisors = self.args.port, self.hypervisors
        wrong = hypervisors.forget(old if hypervisors.at != old else new)
        argv = ["migrate", vm, new]
        if way == "now":
            argv.append("trigger=now")
        uid = self.ctl(*argv)
        self.ctl("migrate-wait", uid, "draining" if way == "now"
                 else "prepared")
        if meanwhile:
            meanwhile()
        if way == "hold":
            self.ctl("migrate-hold", vm)
        hypervisors.stop()
        if way == "activate":
            self.ctl("migrate-activate", vm)
            self.ctl("migrate-wait", uid, "draining")
        time.sleep(self.args.pause)
        hypervisors.resume(new, self.rarp if way == "announce" else None)
        phase = self.ctl("migrate-wait", uid)
        if phase != "done":
            raise Failure("the move ended as " + phase)
        return wrong, hypervisors.forget(old)


def check_move(n, way, mover, flows, old, new):
    numbered = [f for f in flows if isinstance(f, Numbered)]
    first = [f.n_sent for f in numbered]
    early, late = mover.move(way, old, new)
    last = [f.n_sent for f in numbered]
    if early:
        raise Failure("%d frames had come to %s before the move" % (early,
                                                                    new))
    if way == "hold":
        if late:
            raise Failure("%d frames came to %s after the VM had been stopped"
                          % (late, old))
    for f, a, b in zip(numbered, first, last):
        # What the VM sends is never lost.
        if way == "hold" or "from the VM" in f.name:
            f.check_whole(a, b)
    for f in flows:
        f.check_goes_on()
        f.check_alive()
    print("move %d, %s to %s by %s: %d frames too late" % (n, old, new, way,
                                                           late), flush=True)


def main():
    p = argparse.ArgumentParser(description="moves a VM under connections")
    p.add_argument("--db", required=True)
    p.add_argument("--prefix", required=True, help="of namespaces")
    p.add_argument("--port", default="vm1")
    p.add_argument("--mac", default="0a:00:00:00:00:01")
    p.add_argument("--ip", default="198.51.100.1")
    p.add_argument("--peer", default="vm3.hv3,198.51.100.3")
    p.add_argument("--external", help="what the peer takes for the VM's --ip")
    p.add_argument("--places", default="hv1,hv2")
    p.add_argument("--moves", type=int, default=20)
    p.add_argument("--pause", type=float, default=.05)
    args = p.parse_args()
    places = args.places.split(",")
    peer, peer_ip = args.peer.split(",")
    hypervisors = Hypervisors(args.prefix + "wire", {
        hv: "%s%s.%s" % (args.prefix, args.port, hv) for hv in places})
    hypervisors.at = places[0]
    hypervisors.start()
    flows = open_flows((args.prefix + "vm", args.ip),
                       (args.prefix + peer, peer_ip), args.external)
    for f in flows:
        f.start()
    try:
        for f in flows:
            f.check_goes_on()
        mover = Mover(args, hypervisors)
        for n in range(args.moves):
            old, new = places[n % 2], places[(n + 1) % 2]
            check_move(n + 1, WAYS[n % len(WAYS)], mover, flows, old, new)
        for f in flows:
            f.end()
    except Failure as e:
        print(e)
        sys.exit(1)
    print("%d moves, all connections went on" % args.moves)


if __name__ == "__main__":
    main()
