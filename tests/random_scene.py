# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
#
# For random-moves: a sandbox with VMs, its daemons, which can be killed and
# started again, and the NVA database.
#
# Functions that take long are generators, which yield as long as they wait.

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from random_traffic import Traffic, VM, open_in

BUILD = os.environ.get("NVA_BUILD") or os.path.dirname(
    os.path.dirname(os.path.abspath(__file__)))
UTILITIES, CONTROLLER = BUILD + "/utilities", BUILD + "/controller"
os.environ["PATH"] = ":".join([UTILITIES, CONTROLLER, os.environ["PATH"],
                               "/usr/sbin", "/sbin"])


class Failure(Exception):
    """Something is not as it must be."""


def sleep(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield


def state_of(pid):
    """Returns the letter that /proc has for PID, or an empty string if it has
    ended with all its threads and so closed its files."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            state = f.read().rpartition(")")[2].split()[0]
        if state in "ZX" and len(os.listdir("/proc/%d/task" % pid)) <= 1:
            return ""
        return state
    except (OSError, ValueError):
        return ""


def rpc(path, method, params, timeout=2):
    """Asks a server of JSON-RPC at a UNIX socket one question."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(path)
        s.send(json.dumps({"method": method, "params": params,
                           "id": 1}).encode())
        data = ""
        while True:
            more = s.recv(1 << 20).decode()
            if not more:
                raise OSError("%s: closed" % path)
            data += more
            try:
                answer = json.loads(data)
                return answer["result"], answer["error"]
            except ValueError:
                pass


class Daemon:
    """A process that the sandbox started, and can be started again."""

    def __init__(self, scene, name, command, netns=None):
        self.scene, self.name, self.netns = scene, name, netns
        self.command = command
        self.files = os.path.join(scene.dir, name)
        self.busy = False           # A fault is under way.
        self.pid = 0
        self.read_pid()

    def read_pid(self):
        with open(self.files + ".pid") as f:
            self.pid = int(f.read())

    def state(self):
        return state_of(self.pid)

    def signal(self, sig):
        os.kill(self.pid, sig)

    def kill(self):
        self.signal(signal.SIGKILL)
        while self.state():
            yield

    def start(self):
        argv = self.command + [
            "--pidfile=" + self.files + ".pid", "--overwrite-pidfile",
            "--log-file=" + self.files + ".log",
            "--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off"]
        if self.netns:
            argv = ["ip", "netns", "exec", self.netns] + argv
        env = dict(os.environ)
        d = os.path.dirname(self.files)
        env.update(OVS_RUNDIR=d, OVS_LOGDIR=d, OVS_DBDIR=d)
        yield from self.scene.run(argv, env=env)
        self.read_pid()


# Gateways of VN blue, and of what is outside.  Those of a VN have the same
# addresses at each of the hypervisors.
GATEWAY_NVES = ["hv1", "hv2"]
GATEWAYS = {"gwb": ("blue", "0a:00:00:00:01:fe", "10.0.0.254/24", "vns=out"),
            "gwo": ("out", "0a:00:00:00:02:fe", "10.0.1.254/24", "vns=blue")}


class Scene:
    """The VMs of blue have a way out, by the uplinks of GATEWAY_NVES, to a
    host at a switch.  If KEEP, connections stay with the gateway that they
    have when a VM gets another one."""

    def __init__(self, nves, vms_per_vn, rate, keep):
        self.tmp = tempfile.mkdtemp(prefix="nva-rm.", dir="/tmp")
        self.dir = self.tmp + "/s"
        self.prefix = "nr%d-" % os.getpid()
        self.hvs = ["hv%d" % i for i in range(1, nves + 1)]
        self.rate, self.keep = rate, keep
        self.vms = [VM(v * vms_per_vn + i, vn[0] + str(i + 1), vn,
                       "0a:00:00:00:00:%02x" % (i + 1), "10.0.0.%d" % (i + 1),
                       GATEWAYS["gwb"][1] if vn == "blue" else None)
                    for v, vn in enumerate(["blue", "red"])
                    for i in range(vms_per_vn)]
        self.host = VM(len(self.vms), "host", "out", "0a:00:00:00:02:01",
                       "10.0.1.1", GATEWAYS["gwo"][1])
        self.daemons = {}
        self.traffic = None

    # Commands.

    def run(self, argv, env=None, timeout=30, check=True):
        """Runs a command; the value is its output."""
        with tempfile.TemporaryFile("w+") as out:
            p = subprocess.Popen(argv, env=env, stdout=out, stderr=out,
                                 stdin=subprocess.DEVNULL)
            until = time.monotonic() + timeout
            while p.poll() is None:
                if time.monotonic() > until:
                    p.kill()
                    p.wait()
                    raise Failure("%s: no end after %d s" % (argv, timeout))
                yield
            out.seek(0)
            text = out.read()
        if check and p.returncode:
            raise Failure("%s: %s" % (" ".join(argv), text))
        return text

    def run_now(self, *argv):
        return finish(self.run(list(argv)))

    def sandbox(self, *argv):
        return self.run_now(UTILITIES + "/nva-sandbox", "--dir=" + self.dir,
                            "--prefix=" + self.prefix,
                            "--nves=%d" % len(self.hvs), *argv)

    def ctl(self, *argv):
        """A command of the controller.  Returns (text, error)."""
        return rpc(self.dir + "/nva-controller.ctl", argv[0], list(argv[1:]))

    # The database.

    def transact(self, *ops):
        """Returns the results, or None if the database is away."""
        try:
            result, error = rpc(self.dir + "/db.sock", "transact",
                                ["NVA"] + list(ops))
        except OSError:
            return None
        if error or any(r and r.get("error") for r in result):
            raise Failure("transaction %s: %s %s" % (ops, result, error))
        return result

    def rows(self, table, columns):
        result = self.transact({"op": "select", "table": table, "where": [],
                                "columns": columns})
        return None if result is None else result[0]["rows"]

    # Life.

    def add_vm(self, vm, hvs):
        mac = vm.mac.hex(":")
        self.sandbox("vm-add", vm.name, hvs[0], mac, vm.ip)
        for hv in hvs[1:]:
            self.sandbox("vm-place", vm.name, hv)
        first = "%s%s.%s" % (self.prefix, vm.name, hvs[0])
        # From now on we speak for the VM, and its kernel is silent.
        self.run_now("ip", "-n", first, "addr", "flush", "dev", "eth0")
        self.run_now("ip", "netns", "exec", first, "sh", "-c",
                     "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
        for hv in hvs:
            vm.sockets[hv] = open_in("%s%s.%s" % (self.prefix, vm.name, hv),
                                     "eth0")
        vm.lives = hvs[0]

    def ip(self, netns, *argv):
        self.run_now("ip", "-n", self.prefix + netns, *argv)

    def add_outside(self, ctl):
        """Adds the host, the switch, and the gateways."""
        for netns in ("switch", "host"):
            self.run_now("ip", "netns", "add", self.prefix + netns)
        self.ip("switch", "link", "add", "br0", "type", "bridge",
                "mcast_snooping", "0")
        self.ip("switch", "link", "set", "br0", "up")
        for netns, device in [("host", "eth0")] + [
                (hv, "up0") for hv in GATEWAY_NVES]:
            self.ip("switch", "link", "add", netns, "master", "br0", "type",
                    "veth", "peer", "name", device, "netns",
                    self.prefix + netns)
            self.ip("switch", "link", "set", netns, "up")
            self.ip(netns, "link", "set", device, "up")
        self.run_now(*ctl, "vn-add", "out", "5003", "--", "port-add", "host",
                     "out", self.host.mac.hex(":"), self.host.ip)
        for hv in GATEWAY_NVES:
            self.sandbox("hv", hv, "ovs-vsctl", "add-port", "br-int", "up0",
                         "--", "set", "Interface", "up0",
                         "external_ids:nva-uplink=out:0")
            for name, (vn, mac, ip, vns) in GATEWAYS.items():
                self.run_now(*ctl, "gw-add", name + hv[2:], vn, hv, mac, ip,
                             vns)
        self.host.sockets["host"] = open_in(self.prefix + "host", "eth0")
        self.host.lives = "host"
        self.host.settle("host")

    def start(self):
        self.sandbox("start")
        ctl = [UTILITIES + "/nva-ctl", "--timeout=20",
               "--db=unix:%s/db.sock" % self.dir]
        # A short history, so that it is tested, too.
        self.run_now(*ctl, "set", "NVA_Global", ".", "options:history_max=60",
                     "--", "vn-add", "blue", "5001", "--", "vn-add", "red",
                     "5002")
        if self.keep:
            self.run_now(*ctl, "vn-set-option", "blue", "gateway_change=new",
                         "connection_idle=2")
        for vm in self.vms:
            self.run_now(*ctl, "port-add", vm.name, vm.vn, vm.mac.hex(":"),
                         vm.ip)
        self.add_outside(ctl)
        for i, vm in enumerate(self.vms):
            k = i % len(self.hvs)
            self.add_vm(vm, self.hvs[k:] + self.hvs[:k])
        for vm in self.vms:
            self.run_now(*ctl, "wait-until", "Port", vm.name, "state=bound")
            # It is where it was plugged first.
            vm.lives = self.port_of(vm)
            vm.settle(vm.lives)
        self.find_daemons()
        finish(self.log_all())
        finish(self.daemons["nva-controller"].kill())
        finish(self.daemons["nva-controller"].start())
        taps = [open_in(self.prefix + "underlay", hv) for hv in self.hvs]
        self.traffic = Traffic(self.vms + [self.host], taps, self.rate)

    def port_of(self, vm):
        """Where the database says VM is."""
        for row in self.rows("Port", ["name", "nve"]) or []:
            if row["name"] == vm.name:
                return row["nve"]
        return None

    def find_daemons(self):
        d = self.dir
        self.daemons = {
            "nva-controller": Daemon(self, "nva-controller", [
                CONTROLLER + "/nva-controller", "--db=unix:%s/db.sock" % d,
                "--unixctl=%s/nva-controller.ctl" % d, "--enable-faults"]),
            "nva-ovsdb-server": Daemon(self, "nva-ovsdb-server", [
                "ovsdb-server", d + "/nva.db", "--remote=punix:%s/db.sock" % d,
                "--unixctl=%s/nva-ovsdb-server.ctl" % d])}
        for hv in self.hvs:
            ns = self.prefix + hv
            self.daemons[hv + "/ovsdb-server"] = Daemon(
                self, hv + "/ovsdb-server", [
                    "ovsdb-server", "%s/%s/conf.db" % (d, hv),
                    "--remote=punix:%s/%s/db.sock" % (d, hv),
                    "--remote=db:Open_vSwitch,Open_vSwitch,manager_options"],
                ns)
            self.daemons[hv + "/ovs-vswitchd"] = Daemon(
                self, hv + "/ovs-vswitchd",
                ["ovs-vswitchd", "unix:%s/%s/db.sock" % (d, hv)], ns)

    def log_all(self):
        """Has the NVA database log each connection that breaks, not some."""
        yield from self.run([
            "ovs-appctl", "-t", self.dir + "/nva-ovsdb-server.ctl",
            "vlog/disable-rate-limit", "jsonrpc"])

    def start_database(self):
        yield from self.daemons["nva-ovsdb-server"].start()
        yield from self.log_all()

    def start_hv_database(self, hv):
        """Waits for ovs-vswitchd, which backs off.  Without its database it
        forwards nothing in the userspace datapath: bridge_run() returns before
        it lets that poll."""
        yield from self.daemons[hv + "/ovsdb-server"].start()
        yield from self.run([
            "ovs-vsctl", "--db=unix:%s/%s/db.sock" % (self.dir, hv),
            "--timeout=25", "set", "Open_vSwitch", ".",
            # It waits for a change only.
            "external_ids:back=%d" % time.monotonic_ns()])

    def start_vswitchd(self, hv):
        """The address of the bridge to the underlay went with its device."""
        ns = self.prefix + hv
        yield from self.daemons[hv + "/ovs-vswitchd"].start()
        yield from self.run(["ip", "-n", ns, "addr", "replace",
                             "192.0.2.%s/24" % hv[2:], "dev", "br-phy"])
        yield from self.run(["ip", "-n", ns, "link", "set", "br-phy", "mtu",
                             "1600", "up"])

    def table_names(self, hv):
        """Returns the names of flow tables, by number."""
        (bridges, tables), error = rpc(
            "%s/%s/db.sock" % (self.dir, hv), "transact", ["Open_vSwitch"] + [
                {"op": "select", "table": table, "where": where,
                 "columns": columns} for table, where, columns in [
                     ("Bridge", [["name", "==", "br-int"]], ["flow_tables"]),
                     ("Flow_Table", [], ["_uuid", "name"])]])
        if error:
            raise Failure("%s: %s" % (hv, error))
        names = {row["_uuid"][1]: row["name"] for row in tables["rows"]}
        return {str(number): names[ref[1]]
                for number, ref in bridges["rows"][0]["flow_tables"][1]}

    def flows_of(self, hv):
        """What Open vSwitch has at HV, spelled as "nva/flows" does, but for
        the connections that it has learned."""
        text = yield from self.run(
            ["ovs-ofctl", "-OOpenFlow15", "--no-stats", "dump-flows",
             "unix:%s/%s/br-int.mgmt" % (self.dir, hv)])
        names = self.table_names(hv)
        flows = []
        for line in text.splitlines():
            if "cookie=" in line:
                if " table=" not in line:
                    line = line.replace(",", ", table=0,", 1)
                flows.append(re.sub(" table=([0-9]+),",
                                    lambda m: " table=%s," % names[m[1]],
                                    line.strip(), count=1))
        return sorted(f for f in flows if " table=connection," not in f)

    def logs(self):
        for folder, _, files in os.walk(self.dir):
            for name in sorted(files):
                if name.endswith(".log"):
                    yield os.path.join(folder, name)

    def keep_logs(self, to):
        os.makedirs(to, exist_ok=True)
        for log in self.logs():
            name = os.path.relpath(log, self.dir).replace("/", ".")
            shutil.copy(log, os.path.join(to, name))
        # For "ovsdb-tool show-log -mm".
        shutil.copy(self.dir + "/nva.db", to)
        for hv in self.hvs:
            d = os.path.join(self.dir, hv)
            pid = self.daemons[hv + "/ovs-vswitchd"].pid
            appctl = ["ovs-appctl", "-T3", "-t",
                      "%s/ovs-vswitchd.%d.ctl" % (d, pid)]
            for what, argv in [
                    ("flows", ["ovs-ofctl", "-t3", "-OOpenFlow15",
                               "dump-flows", "unix:" + d + "/br-int.mgmt"]),
                    ("cache", appctl + ["dpctl/dump-flows", "-m"]),
                    ("neighbours", appctl + ["tnl/neigh/show"])]:
                with open(os.path.join(to, "%s.%s" % (hv, what)), "w") as f:
                    f.write(finish(self.run(argv, check=False)))

    def stop(self):
        if self.traffic:
            self.traffic.ending = True
        if "nva-controller" in self.daemons:
            for daemon in self.daemons.values():
                if daemon.state() == "T":
                    daemon.signal(signal.SIGCONT)
        finish(self.run([UTILITIES + "/nva-sandbox", "--dir=" + self.dir,
                         "--prefix=" + self.prefix, "stop"], check=False))
        for netns in ("switch", "host"):
            finish(self.run(["ip", "netns", "del", self.prefix + netns],
                            check=False))
        shutil.rmtree(self.tmp, ignore_errors=True)


def finish(generator):
    """Runs a generator to its end; returns its value."""
    while True:
        try:
            next(generator)
        except StopIteration as e:
            return e.value
        time.sleep(0.002)
