#!/usr/bin/env python3
# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""Changes rows and interfaces at random, also to what makes no sense.

    lifecycle.py SEED STEPS HYPERVISOR...

What the databases refuse is left out; nothing else is expected of a step but
that the controller survives it, and that its flows are those that it would
build anew.  At the end removes all.
"""

import os
import random
import subprocess
import sys

VNS, PORTS = ["red", "blue"], ["a", "b", "c", "d"]
MACS = ["0a:00:00:00:00:0%d" % i for i in range(1, 6)] + [
    "no MAC address   ", "01:00:5e:00:00:01", "00:00:00:00:00:00"]
IPS = ["10.0.0.%d" % i for i in range(1, 6)] + ["fd00::1", "fd00::2",
                                                "no IP address", "10.0.0.300"]
HERE = os.getcwd()
done = []


def run(*args):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True)
    done.append("%s: %d %s" % (" ".join(args), p.returncode, p.stdout))
    return p.returncode, p.stdout.strip()


def nva(*args):
    return run("nva-ctl", "--timeout=5", *args)


def vsctl(hv, *args):
    return run("ovs-vsctl", "--timeout=20", 
               "--db=unix:%s/%s/db.sock" % (HERE, hv), *args)


def quoted(words):
    return "[" + ",".join('"%s"' % w for w in words) + "]"


def vn_row(r, _):
    name = r.choice(VNS)
    if r.random() < .3:
        nva("set", "Virtual_Network", name, "vni=%d" % r.randint(1, 9))
    elif r.random() < .3:
        nva("set", "Virtual_Network", name, "options=" + r.choice(
            ["responder_rate=0", "unknown_unicast=flood", "responder_rate=x",
             "responder_burst=-1", "unknown_unicast=maybe", "{}"]))
    else:
        nva("create", "Virtual_Network", "name=" + name,
            "vni=%d" % r.randint(1, 9))


def vn_gone(r, _):
    name = r.choice(VNS)
    uuid = nva("get", "Virtual_Network", name, "_uuid")[1]
    rows = nva("--no-headings", "--columns=name", "find", "Port",
               "vn=" + uuid)[1].split()
    args = ["destroy", "Virtual_Network", name]
    for row in rows:
        args += ["--", "destroy", "Port", row]
    nva(*args)


def port_columns(r):
    return ["mac=" + quoted([r.choice(MACS)]),
            "ips=" + quoted(r.sample(IPS, r.randint(0, 3))),
            "port_security=" + r.choice(["true", "false"])]


def port_row(r, _):
    status, uuid = nva("get", "Virtual_Network", r.choice(VNS), "_uuid")
    if status == 0:
        nva("create", "Port", "name=" + r.choice(PORTS), "vn=" + uuid,
            "state=unbound", *port_columns(r))


def port_change(r, _):
    columns = port_columns(r) + ["name=" + r.choice(PORTS)]
    status, uuid = nva("get", "Virtual_Network", r.choice(VNS), "_uuid")
    if status == 0:
        columns.append("vn=" + uuid)
    nva("set", "Port", r.choice(PORTS), r.choice(columns))


def port_gone(r, _):
    nva("destroy", "Port", r.choice(PORTS))


def interface(r, hvs):
    hv, name = r.choice(hvs), "t%d" % r.randint(1, 4)
    vsctl(hv, "--may-exist", "add-port", "br-int", name, "--", "set",
          "Interface", name, "external_ids:iface-id=" + r.choice(PORTS))


def interface_gone(r, hvs):
    vsctl(r.choice(hvs), "--if-exists", "del-port", "br-int",
          "t%d" % r.randint(1, 4))


def nve_row(hv, n):
    nva("nve-add", hv, "192.0.2.%d" % n, 
        "ovsdb=unix:%s/%s/db.sock" % (HERE, hv))


def nve(r, hvs):
    n = r.randrange(len(hvs))
    if r.random() < .5:
        nva("destroy", "NVE", hvs[n])
        if r.random() < .5:
            nva("set", "NVE", r.choice(hvs), "encap_ips=192.0.2.9")
    nve_row(hvs[n], n + 1)


def migration(r, hvs):
    nva("create", "Migration", "port=" + r.choice(PORTS),
        "new_nve=" + r.choice(hvs + ["nowhere"]), "kind=hot",
        "trigger=" + r.choice(["now", "announce"]), "phase=requested")


def migration_change(r, _):
    rows = nva("--no-headings", "--columns=_uuid", "list",
               "Migration")[1].split()
    if rows:
        row = r.choice(rows)
        if r.random() < .5:
            nva("set", "Migration", row,
                "request=" + r.choice(["cancel", "activate"]))
        else:
            nva("destroy", "Migration", row)


def good_move(r, hvs):
    """Something that makes sense, for the others to disturb."""
    n = r.randrange(len(PORTS))
    nva("vn-add", "red", "1")
    vn = nva("get", "Virtual_Network", "red", "_uuid")[1]
    nva("destroy", "Port", PORTS[n])
    created = nva(
        "create", "Port", "name=" + PORTS[n], "vn=" + vn, "state=unbound",
        "mac=" + quoted(["0a:00:00:00:01:0%d" % n]),
        "ips=" + quoted(["10.0.1.%d" % n]), "port_security=true")
    for hv in hvs:
        vsctl(hv, "--may-exist", "add-port", "br-int", "t%d" % (n + 1), "--",
              "set", "Interface", "t%d" % (n + 1),
              "external_ids:iface-id=" + PORTS[n])
    if created[0] == 0:
        run("nva-ctl", "--timeout=1", "wait-until", "Port", PORTS[n],
            "state=bound")
    for hv in hvs:
        nva("create", "Migration", "port=" + PORTS[n], "new_nve=" + hv,
            "kind=hot", "trigger=announce", "phase=requested")


STEPS = [good_move, good_move, good_move, vn_row, vn_gone, port_row, port_row, port_row, port_change,
         port_change, port_change, port_gone, interface, interface, interface,
         interface_gone, nve, migration, migration, migration_change]


def fail(why):
    print("\n".join(done[-30:]))
    print(why)
    sys.exit(1)


def check():
    status, output = run("ovs-appctl", "-t", HERE + "/nva-controller.ctl",
                         "nva/recompute")
    if status or output != "no differences":
        fail(output)


def destroy_all(r):
    rows = []
    for table in ["Migration", "Port", "Virtual_Network"]:
        rows += [(table, u) for u in nva("--no-headings", "--columns=_uuid",
                                         "list", table)[1].split()]
    # In any order that the database allows.
    while rows:
        table, uuid = r.choice(rows)
        if nva("destroy", table, uuid)[0] == 0:
            rows.remove((table, uuid))


def main():
    seed, n = sys.argv[1:3]
    hvs = sys.argv[3:]
    r = random.Random(seed)
    print("seed", seed)
    for _ in range(int(n)):
        r.choice(STEPS)(r, hvs)
        check()
    destroy_all(r)
    for i, hv in enumerate(hvs):
        nve_row(hv, i + 1)
        nva("set", "NVE", hv, "encap_ips=192.0.2.%d" % (i + 1))
        if nva("wait-until", "NVE", hv, "synced=true")[0]:
            fail("%s is not synced" % hv)
        for t in range(1, 5):
            vsctl(hv, "--if-exists", "del-port", "br-int", "t%d" % t)
    check()


if __name__ == "__main__":
    main()
