# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""OVN under bench-compare, with the programs that are installed.

As good to it as we know how: changes are asked for on a standing connection
to the northbound database, as an orchestrator does it, for a new ovn-nbctl
reads the whole database first; and ovn-monitor-all is on, without which 23.03
needs more than a minute to fill a hypervisor with 5,000 ports."""

import re
import shutil

from bench_lab import (SHARE, Daemon, connect, free_ports, run,
                       wait_for)

PROGRAMS = ("ovn-northd", "ovn-controller", "ovn-nbctl", "ovn-sbctl")


def version():
    """What is measured, or None if it is not installed."""
    if not all(shutil.which(p) for p in PROGRAMS):
        return None
    return run("ovn-northd", "--version").split("\n")[0].split()[-1]


class Ovn:
    """One logical switch in a lab."""

    name = "OVN"
    announces = False           # What it has is seen in the data path only.

    def __init__(self, lab):
        self.lab = lab
        self.remote = None
        self.agents = {}
        self.keys = {}

    def start_central(self):
        tcp = free_ports(1)[0]
        self.remote = "tcp:127.0.0.1:%d" % tcp
        for db, role, remotes in (
                ("nb", "ovsdb-server (NB)", ()),
                ("sb", "ovsdb-server (SB)",
                 ("ptcp:%d:127.0.0.1" % tcp,))):
            self.lab.database_server(
                db, "%s/ovn/ovn-%s.ovsschema" % (SHARE, db), role, *remotes)
        self.nb = connect(self.lab.path("nb", "db.sock"))
        self.sb = connect(self.lab.path("sb", "db.sock"))
        self.ctl("nb", "init")
        self.ctl("sb", "init")
        self.start_northd()
        self.ctl("nb", "ls-add", "net")

    def start_northd(self):
        self.northd = Daemon(self.lab, "ovn-northd", [
            "ovn-northd", "--ovnnb-db=unix:" + self.lab.path("nb", "db.sock"),
            "--ovnsb-db=unix:" + self.lab.path("sb", "db.sock"),
            "--unixctl=" + self.lab.path("northd.ctl"), "-vconsole:off",
            "-vsyslog:off", "--log-file=" + self.lab.path("northd.log")])

    def ctl(self, db, *args):
        """Runs ovn-nbctl or ovn-sbctl."""
        return run("ovn-%sctl" % db, "--timeout=300", "--no-leader-only",
                   "--db=unix:" + self.lab.path(db, "db.sock"), *args,
                   timeout=310)

    def start_agent(self, node):
        self.agents[node.name] = Daemon(self.lab, "ovn-controller", [
            *node.inside, "ovn-controller", node.db, "-vconsole:off",
            "-vsyslog:off",
            "--log-file=%s/ovn-controller.log" % node.dir], node.env,
            node.dir + "/ovn-controller.out")

    def kill_agent(self, node):
        self.agents.pop(node.name).stop(kill=True)

    def attach(self, node):
        node.vsctl("set", "Open_vSwitch", ".",
                   "external_ids:ovn-remote=" + self.remote,
                   "external_ids:ovn-encap-type=geneve",
                   "external_ids:ovn-encap-ip=" + node.ip,
                   "external_ids:ovn-monitor-all=true")
        self.start_agent(node)

    def detach(self, node):
        self.agents.pop(node.name).stop()
        self.ctl("sb", "chassis-del", node.name)

    def wait_attached(self, nodes):
        names = {n.name for n in nodes}
        wait_for(lambda: names <= set(self.ctl(
            "sb", "--bare", "--columns=name", "list", "chassis").split()),
            "chassis")

    def add_ports(self, ports):
        """'ports' are (name, MAC, IP)."""
        names = [["named-uuid", "r%d" % i] for i in range(len(ports))]
        self.nb.transact("OVN_Northbound", *[
            {"op": "insert", "table": "Logical_Switch_Port",
             "uuid-name": "r%d" % i,
             "row": {"name": name, "addresses": "%s %s" % (mac, ip),
                     "port_security": "%s %s" % (mac, ip)}}
            for i, (name, mac, ip) in enumerate(ports)], {
            "op": "mutate", "table": "Logical_Switch",
            "where": [["name", "==", "net"]],
            "mutations": [["ports", "insert", ["set", names]]]})

    def set_options(self, port, **options):
        if port not in self.keys:
            r = self.nb.transact("OVN_Northbound", {
                "op": "select", "table": "Logical_Switch_Port",
                "where": [["name", "==", port]], "columns": ["_uuid"]})
            self.keys[port] = r[0]["rows"][0]["_uuid"]
        self.nb.transact("OVN_Northbound", {
            "op": "update", "table": "Logical_Switch_Port",
            "where": [["_uuid", "==", self.keys[port]]],
            "row": {"options": ["map", [[k.replace("_", "-"), v]
                                        for k, v in options.items()]]}})

    def set_home(self, port, node):
        self.set_options(port, requested_chassis=node.name)

    def barrier(self):
        """Waits until all hypervisors have applied all changes."""
        self.ctl("nb", "--wait=hv", "sync")

    def wait_bound(self, ports):
        self.barrier()

    def add_far_ports(self, ports, n_far):
        """Ports at chassis that are not there."""
        for i in range(n_far):
            self.ctl("sb", "chassis-add", "far%d" % i, "geneve",
                     "192.0.2.%d" % (240 + i))
        chassis = {r["name"]: r["_uuid"] for r in self.sb.transact(
            "OVN_Southbound", {"op": "select", "table": "Chassis",
                               "where": [], "columns": ["name", "_uuid"]}
        )[0]["rows"]}
        for first in range(0, len(ports), 500):
            self.add_ports(ports[first:first + 500])
        self.ctl("nb", "--wait=sb", "sync")
        for first in range(0, len(ports), 500):
            self.sb.transact("OVN_Southbound", *[
                {"op": "update", "table": "Port_Binding",
                 "where": [["logical_port", "==", p[0]]],
                 "row": {"chassis": chassis["far%d" % ((first + i) % n_far)],
                         "up": True}}
                for i, p in enumerate(ports[first:first + 500])])
        self.ctl("nb", "--wait=sb", "sync")

    def del_port(self, port):
        self.ctl("nb", "lsp-del", port)

    def note_key(self, port, mac):
        """Has shows_place() know the port with this MAC."""
        r = self.sb.transact("OVN_Southbound", {
            "op": "select", "table": "Port_Binding",
            "where": [["logical_port", "==", port]],
            "columns": ["tunnel_key"]})
        self.keys[mac] = "reg15=0x%x," % r[0]["rows"][0]["tunnel_key"]

    def shows_place(self, node, line, mac, new):
        """Is an event about the flow with which 'node' sends what is for
        'mac' to 'new'?"""
        return (self.keys[mac] in line and "output:" in line and
                re.search(r"output:%d\b" % self.tunnel(node, new), line))

    def shows_deletion(self, line, mac):
        return "event=DELETED" in line and self.keys[mac] in line

    def tunnel(self, node, new):
        """The number of the port of the tunnel from a node to another."""
        key = (node.name, new.name)
        if key not in self.keys:
            self.keys[key] = int(node.vsctl(
                "--bare", "--columns=ofport", "find", "interface",
                "options:remote_ip=" + new.ip))
        return self.keys[key]

    def move(self, port, new):
        self.set_options(port, requested_chassis=new.name)
        return port

    def finish(self, move):
        pass                    # There is nothing that tells.
