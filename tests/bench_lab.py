# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""Hypervisors for bench-compare, and how they are observed.

Each is a stock ovsdb-server and ovs-vswitchd with a dummy datapath, without
privileges.  Their underlay is a bridge of one more ovs-vswitchd, which
belongs to none of the systems that are compared.  What a controller does is
seen from outside only: OpenFlow monitors, the scheduler's clocks, /proc."""

import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

from bench_rpc import Rpc

SHARE = "/usr/share"


def run(*argv, env=None, check=True, timeout=120):
    """Runs a command; returns what it prints."""
    done = subprocess.run([str(a) for a in argv], capture_output=True,
                          text=True, timeout=timeout,
                          env=dict(os.environ, **(env or {})))
    if check and done.returncode:
        raise RuntimeError("%s: exit status %d\n%s%s" % (
            " ".join(map(str, argv)), done.returncode, done.stdout,
            done.stderr))
    return done.stdout


def wait_for(condition, what, timeout=60, step=0.02):
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError("waiting for " + what)
        time.sleep(step)


def connect(path):
    """Returns a connection to a daemon that is starting."""
    def attempt():
        try:
            return Rpc(path)
        except OSError:
            return None
    return wait_for(attempt, path)


def free_ports(n):
    """Returns 'n' TCP ports of the loopback that nobody listens to."""
    socks = [socket.create_server(("127.0.0.1", 0)) for i in range(n)]
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


def far_ports(n):
    """'n' ports (name, MAC, IP) that are elsewhere."""
    return [("far-port%d" % i, "0a:00:00:00:%02x:%02x" % (i >> 8, i & 255),
             "10.1.%d.%d" % (i >> 8, i & 255)) for i in range(n)]


class Daemon:
    """A process that is measured.  'role' is what reports call all processes
    of its kind together."""

    def __init__(self, lab, role, argv, env=None, log=None):
        self.lab, self.role = lab, role
        with open(log or os.devnull, "ab") as out:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=dict(os.environ, **(env or {})), start_new_session=True)
        self.pid = self.process.pid
        lab.daemons.append(self)

    def stop(self, kill=False):
        if self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self in self.lab.daemons:
            self.lab.daemons.remove(self)

    def cpu(self):
        """CPU time of all threads in ms, by the scheduler's clock."""
        total = 0
        for task in os.listdir("/proc/%d/task" % self.pid):
            try:
                with open("/proc/%d/task/%s/schedstat" % (self.pid,
                                                          task)) as f:
                    total += int(f.read().split()[0])
            except FileNotFoundError:
                pass            # The thread has just ended.
        return total / 1e6

    def rss(self):
        """Resident memory in MiB."""
        with open("/proc/%d/status" % self.pid) as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024


class Lab:
    """Everything that one system needs, in a directory of its own."""

    running = []

    def __init__(self, name):
        self.running.append(self)
        self.name = name
        self.dir = tempfile.mkdtemp(prefix="nva-compare.")
        self.daemons = []
        self.hub = None
        self.nodes = []
        self.on_stop = lambda: None

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def database_server(self, name, schema, role, *remotes):
        """Starts an ovsdb-server with an empty database; returns it."""
        os.makedirs(self.path(name), exist_ok=True)
        run("ovsdb-tool", "create", self.path(name, "db"), schema)
        daemon = Daemon(self, role, [
            "ovsdb-server", self.path(name, "db"),
            "--remote=punix:" + self.path(name, "db.sock"),
            *["--remote=" + r for r in remotes],
            "--unixctl=" + self.path(name, "db.ctl"),
            "--log-file=" + self.path(name, "db.log"),
            "-vconsole:off", "-vsyslog:off"], log=self.path(name, "db.out"))
        connect(self.path(name, "db.sock"))
        return daemon

    def add_hub(self):
        self.hub = Node(self, "hub", 0)

    def add_node(self, name):
        node = Node(self, name, len(self.nodes) + 1)
        self.nodes.append(node)
        return node

    def measured(self):
        """The daemons, but for the underlay's."""
        ours = self.hub.daemons if self.hub else []
        return [d for d in self.daemons if d not in ours]

    def cpu(self):
        """CPU time of all measured daemons in ms, added up by role."""
        return {role: sum(d.cpu() for d in daemons)
                for role, daemons in self._by_role().items()}

    def rss(self):
        """Resident memory of each of them in MiB, lists by role."""
        return {role: [d.rss() for d in daemons]
                for role, daemons in self._by_role().items()}

    def _by_role(self):
        roles = {}
        for daemon in self.measured():
            roles.setdefault(daemon.role, []).append(daemon)
        return roles

    def stop(self):
        self.running.remove(self)
        self.on_stop()
        for daemon in self.daemons[::-1]:
            daemon.stop()
        shutil.rmtree(self.dir)


def stop_all():
    """Ends what is left of a measurement."""
    for watch in FlowWatch.open[:]:
        watch.close()
    for lab in Lab.running[:]:
        lab.stop()


class Node:
    """A hypervisor, number 'n' of 'lab', or the underlay, number 0."""

    inside = ()                 # What runs a command where it is.

    def __init__(self, lab, name, n):
        self.lab, self.name, self.n = lab, name, n
        self.ip = "192.0.2.%d" % n
        self.dir = lab.path(name)
        self.db = "unix:%s/db.sock" % self.dir
        self.env = {v: self.dir for v in (
            "OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR",
            "OVN_RUNDIR", "OVN_LOGDIR", "OVN_DBDIR")}
        self.daemons = [lab.database_server(
            name, SHARE + "/openvswitch/vswitch.ovsschema",
            "ovsdb-server (hypervisors)",
            "db:Open_vSwitch,Open_vSwitch,manager_options")]
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".",
                   "external_ids:system-id=" + name,
                   "external_ids:hostname=" + name)
        self.daemons.append(Daemon(lab, "ovs-vswitchd", [
            "ovs-vswitchd", self.db, "--unixctl=%s/vswitchd.ctl" % self.dir,
            "--log-file=%s/vswitchd.log" % self.dir, "-vconsole:off",
            "-vsyslog:off", "-vnetdev_dummy:off", "--enable-dummy=system",
            "--disable-system"], self.env, self.dir + "/vswitchd.out"))
        self.ctl = connect(self.dir + "/vswitchd.ctl")
        self.vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy",
                   "other_config:hwaddr=02:00:00:00:%02x:%02x"
                   % (n >> 8, n & 255))
        if n:
            self._join_underlay()
            self.vsctl("add-br", "br-int", "--", "set", "bridge", "br-int",
                       "fail_mode=secure",
                       "other_config:disable-in-band=true")

    def _join_underlay(self):
        link = self.lab.path("hub", "link%d" % self.n)
        self.lab.hub.vsctl(
            "add-port", "br-phy", self.name, "--", "set", "interface",
            self.name, "options:pstream=punix:" + link)
        self.vsctl("add-port", "br-phy", "uplink", "--", "set", "interface",
                   "uplink", "options:stream=unix:" + link)
        self.ctl.call("netdev-dummy/ip4addr", "br-phy", self.ip + "/24")
        self.ctl.call("ovs/route/add", "192.0.2.0/24", "br-phy")

    def address(self):
        """The address in the underlay as a number."""
        return int.from_bytes(socket.inet_aton(self.ip), "big")

    def leave(self):
        """Ends this hypervisor."""
        for daemon in self.daemons[::-1]:
            daemon.stop()
        self.lab.hub.vsctl("del-port", "br-phy", self.name)
        self.lab.nodes.remove(self)
        shutil.rmtree(self.dir)

    def vsctl(self, *args):
        return run("ovs-vsctl", "--timeout=60", "--db=" + self.db, *args)

    def plug(self, interface, port):
        self.vsctl("add-port", "br-int", interface, "--", "set", "interface",
                   interface, "external_ids:iface-id=" + port)

    def bridge(self):
        return "unix:%s/br-int.mgmt" % self.dir

    def flow_count(self):
        return FlowCounter(self.dir + "/br-int.mgmt").count()


class FlowCounter:
    """Asks a bridge how many flows it has, which costs it little: one number
    a table (OpenFlow 1.3.5, 7.3.5.3)."""

    HEADER = struct.Struct("!BBHI")
    HELLO, ERROR, ECHO, ECHO_REPLY, ASK, ANSWER = 0, 1, 2, 3, 18, 19
    TABLE_STATS = 3

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(path)
        self._send(self.HELLO, b"")

    def _send(self, kind, body):
        self.sock.sendall(self.HEADER.pack(4, kind, 8 + len(body), 1) + body)

    def _bytes(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError("the bridge closed the connection")
            data += more
        return data

    def count(self):
        self._send(self.ASK, struct.pack("!HHI", self.TABLE_STATS, 0, 0))
        total = 0
        while True:
            _, kind, length, xid = self.HEADER.unpack(self._bytes(8))
            body = self._bytes(length - 8)
            if kind == self.ECHO:
                self._send(self.ECHO_REPLY, body)
            elif kind == self.ERROR:
                raise RuntimeError("the bridge refuses to count its flows")
            elif kind == self.ANSWER:
                total += sum(n for _, n, _, _ in struct.iter_unpack(
                    "!B3xIQQ", body[8:]))
                if not struct.unpack("!HH", body[:4])[1] & 1:
                    return total


class FlowWatch:
    """Stamps every change of the flow tables of some nodes: one "ovs-ofctl
    monitor" each, which every controller meets alike."""

    open = []

    def __init__(self, nodes):
        self.open.append(self)
        self.events = {n.name: [] for n in nodes}   # (time in ns, line)
        self.processes, self.inputs = [], {}
        for node in nodes:
            p = subprocess.Popen(
                ["ovs-ofctl", "monitor", node.bridge(), "watch:!initial"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, env=dict(os.environ, **node.env))
            os.set_blocking(p.stdout.fileno(), False)
            self.processes.append(p)
            self.inputs[p.stdout.fileno()] = [node.name, b""]
        self.quit = False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        epoll = select.epoll()
        for fd in self.inputs:
            epoll.register(fd, select.EPOLLIN)
        while not self.quit:
            for fd, _ in epoll.poll(0.2):
                now = time.time_ns()
                data = os.read(fd, 1 << 20)
                if not data:
                    epoll.unregister(fd)
                    continue
                lines = (self.inputs[fd][1] + data).split(b"\n")
                self.inputs[fd][1] = lines.pop()
                self.events[self.inputs[fd][0]] += [
                    (now, line.decode().strip()) for line in lines
                    if b"event=" in line]

    def clear(self):
        for events in self.events.values():
            events.clear()

    def has_since(self, node, shows):
        """Since when a flow that 'shows' says yes to has been in the table of
        a node without interruption, in ns, or None.  What arrives together,
        such as the changes of a bundle, is one change."""
        flows, since, lost = set(), None, 0
        for now, line in list(self.events[node.name]):
            if not shows(line):
                continue
            flow = line[line.index("table="):]
            if "event=DELETED" in line:
                flows.discard(flow)
                lost = now
            else:
                if not flows and (since is None or now > lost):
                    since = now
                flows.add(flow)
        return since if flows else None

    def last(self):
        """The time of the last change anywhere, in ns, or 0."""
        return max([e[-1][0] for e in self.events.values() if e] + [0])

    def wait_quiet(self, since, settle, done, timeout=60):
        """Waits until 'done' is true and nothing has changed for 'settle'
        seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if (time.time_ns() - max(since, self.last()) > settle * 1e9
                    and done()):
                return
            time.sleep(0.01)
        raise TimeoutError("the flow tables do not show the change")

    def close(self):
        self.quit = True
        FlowWatch.open.remove(self)
        self.thread.join()      # Before what it reads is closed.
        for p in self.processes:
            p.terminate()
            p.wait()
            p.stdout.close()
