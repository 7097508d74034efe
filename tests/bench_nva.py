# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""ovs-nva under bench-compare.  See bench_ovn.py for the other system."""

import os
import subprocess

from bench_lab import Daemon, connect, free_ports, run, wait_for

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("NVA_BUILD") or SOURCE
VNI = 5001


def version():
    """What is measured, or None if it is not there."""
    program = BUILD + "/controller/nva-controller"
    if not os.access(program, os.X_OK):
        return None
    number = run(program, "--version").split("\n")[0].split()[-1]
    try:
        number += " " + subprocess.run(
            ["git", "-C", SOURCE, "rev-parse", "--short", "HEAD"],
            capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    return number


class Nva:
    """One virtual network in a lab."""

    name = "ovs-nva"
    announces = True            # Can be told to prepare a move.

    def __init__(self, lab):
        self.lab = lab
        self.phases = {}
        self.places = {}
        self.nves = {}
        self.daemon = None

    def start_central(self):
        self.lab.database_server(
            "nva", SOURCE + "/ovsdb-schema/nva.ovsschema",
            "ovsdb-server (NVA)")
        self.tcp = free_ports(2)
        self.connect(self.lab.path("nva", "db.sock"),
                     openflow_target="tcp:127.0.0.1:%d" % self.tcp[1])
        self.start_agent(None)

    def connect(self, path, **options):
        """Uses an NVA database, which may have a row already."""
        self.db = connect(path)
        if not self.db.transact("NVA", {"op": "select", "table": "NVA_Global",
                                        "where": []})[0]["rows"]:
            self.db.transact("NVA", {"op": "insert", "table": "NVA_Global",
                                     "row": {}})
        # The NVEs that are not there stay away: no move shall wait for them.
        options["drain_max"] = "0"
        self.db.transact("NVA", {
            "op": "update", "table": "NVA_Global", "where": [],
            "row": {"options": ["map", list(options.items())]}})
        r = self.db.transact("NVA", {
            "op": "insert", "table": "Virtual_Network",
            "row": {"name": "net", "vni": VNI}})
        self.vn = r[0]["uuid"]
        self._apply(self.db.call("monitor", "NVA", "m", {
            "Migration": [{"columns": ["phase", "error"]}],
            "NVE": [{"columns": ["name", "connected", "synced"]}],
            "Port": [{"columns": ["name", "nve", "state"]}]}))

    def start_agent(self, node):
        """Starts what controls 'node'; here that controls all nodes."""
        ctl = self.lab.path("nva", "controller.ctl")
        if os.path.exists(ctl):
            os.unlink(ctl)
        self.daemon = Daemon(self.lab, "nva-controller", [
            BUILD + "/controller/nva-controller",
            "--db=unix:" + self.lab.path("nva", "db.sock"),
            "--ovsdb-listen=ptcp:%d:127.0.0.1" % self.tcp[0],
            "--openflow-listen=ptcp:%d:127.0.0.1" % self.tcp[1],
            "--unixctl=" + ctl, "-vconsole:off", "-vsyslog:off",
            "--log-file=" + self.lab.path("nva", "controller.log")])
        connect(ctl)

    def kill_agent(self, node):
        self.daemon.stop(kill=True)

    def attach(self, node):
        """Has a hypervisor dial in."""
        node.vsctl("set", "Open_vSwitch", ".",
                   "external_ids:nva-encap-ip=" + node.ip,
                   "external_ids:nva-encap-type=geneve",
                   "--", "set-manager", "tcp:127.0.0.1:%d" % self.tcp[0])

    def detach(self, node):
        node.vsctl("del-manager")

    def _apply(self, updates):
        for uuid, row in updates.get("Migration", {}).items():
            if row.get("new"):
                self.phases[uuid] = (row["new"]["phase"],
                                     row["new"]["error"])
        for row in updates.get("NVE", {}).values():
            if row.get("new"):
                self.nves[row["new"]["name"]] = (row["new"]["connected"]
                                                 and row["new"]["synced"])
        for row in updates.get("Port", {}).values():
            if row.get("new"):
                self.places[row["new"]["name"]] = (row["new"]["nve"],
                                                   row["new"]["state"])

    def _wait(self, condition, what, timeout=60):
        def look():
            note = self.db.note(0.01)
            while note:
                if note["method"] == "update":
                    self._apply(note["params"][1])
                note = self.db.note(0)
            return condition()
        return wait_for(look, what, timeout, 0)

    def wait_attached(self, nodes):
        names = [n.name for n in nodes]
        self._wait(lambda: all(self.nves.get(n) for n in names), "NVEs")

    def add_ports(self, ports):
        """'ports' are (name, MAC, IP)."""
        self.db.transact("NVA", *[self._port(*p) for p in ports])

    def _port(self, name, mac, ip, nve=None):
        row = {"name": name, "vn": self.vn, "mac": mac, "ips": ip,
               "port_security": True}
        if nve:
            row["nve"] = nve
        return {"op": "insert", "table": "Port", "row": row}

    def set_home(self, port, node):
        pass                    # It is where its interface is.

    def wait_bound(self, ports):
        self._wait(lambda: all(self.places.get(p, ("", ""))[1] == "bound"
                               for p in ports), "ports to be bound")

    def add_far_ports(self, ports, n_far):
        """Ports at NVEs that are not there."""
        self.db.transact("NVA", *[
            {"op": "insert", "table": "NVE", "row": {
                "name": "far%d" % i, "encap_ips": "192.0.2.%d" % (240 + i),
                "ovsdb": "tcp:127.0.0.1:1"}} for i in range(n_far)])
        for first in range(0, len(ports), 500):
            self.db.transact("NVA", *[
                self._port(*p, nve="far%d" % ((first + i) % n_far))
                for i, p in enumerate(ports[first:first + 500])])

    def del_port(self, port):
        self.db.transact("NVA", {"op": "delete", "table": "Port",
                                 "where": [["name", "==", port]]})

    def note_key(self, port, mac):
        pass                    # It is the MAC address.

    def shows_place(self, node, line, mac, new):
        """Is an event about the flow with which 'node' sends what is for
        'mac' to 'new'?"""
        return ("table=50 " in line and "dl_dst=" + mac in line and
                "load:0x%x->NXM_NX_TUN_IPV4_DST[]" % new.address() in line)

    def shows_deletion(self, line, mac):
        return "event=DELETED" in line and "dl_dst=" + mac in line

    def _request(self, port, new, trigger):
        r = self.db.transact("NVA", {
            "op": "insert", "table": "Migration",
            "row": {"port": port, "new_nve": new.name, "trigger": trigger}})
        return r[0]["uuid"][1]

    def move(self, port, new):
        """Asks for a move; returns its id."""
        return self._request(port, new, "now")

    def announce(self, port, new):
        """Has a move prepared and returns its id; the VM may speak now."""
        move = self._request(port, new, "announce")
        self._wait_phase(move, "prepared")
        return move

    def _wait_phase(self, move, phase):
        def reached():
            state, error = self.phases.get(move, ("", ""))
            if state in ("failed", "cancelled"):
                raise RuntimeError("a move failed: " + error)
            return state == phase
        self._wait(reached, "a move to be " + phase)

    def finish(self, move):
        """Waits until all that a move brings about has been done."""
        self._wait_phase(move, "done")
