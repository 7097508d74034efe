# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""The scene "traffic" of bench-compare: what a move does to packets.

Each system has three hypervisors of nva-sandbox, with the userspace datapath
and real packets.  nva-traffic plays a VM, which moves to and fro between hv1
and hv2, and its peer at hv3, and tells what became of every packet."""

import json
import os
import subprocess
import threading
import time

from bench_lab import Lab, far_ports, run
import bench_nva
import bench_ovn

VM, VM_MAC, VM_IP = "vm1", "0a:01:00:00:00:01", "10.0.0.1"
PEER, PEER_MAC, PEER_IP = "vm3", "0a:01:00:00:00:03", "10.0.0.3"
N_FAR = 10
FINALIZE_AFTER = 0.3            # From the resume, in s.

# The ways to move: a name for reports, and what the systems call it.
#
# "told before": the network is told of the move, and the VM's RARP at its new
# place switches it.  "kept": packets sent while the VM is stopped are kept by
# the queue of its new interface, which takes 1,000.
WAYS = {"told before": {"ovs-nva": "announce", "OVN": "rarp"},
        "kept": {"ovs-nva": "hold", "OVN": "multi"}}


class SandboxNode:
    """A hypervisor of nva-sandbox."""

    def __init__(self, sandbox, n):
        self.name, self.ip = "hv%d" % n, "192.0.2.%d" % n
        self.dir = "%s/%s" % (sandbox.dir, self.name)
        self.db = "unix:%s/db.sock" % self.dir
        self.inside = ("ip", "netns", "exec", sandbox.prefix + self.name)
        self.env = {v: self.dir for v in (
            "OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR",
            "OVN_RUNDIR", "OVN_LOGDIR", "OVN_DBDIR")}

    def vsctl(self, *args):
        return run("ovs-vsctl", "--timeout=60", "--db=" + self.db, *args)


class Sandbox:
    """Hypervisors, the VMs and, but for OVN, the controller."""

    def __init__(self, name, *options):
        self.lab = Lab(name)
        self.dir = self.lab.path("sandbox")
        self.prefix = "nb%d%s-" % (os.getpid(), name[-1].lower())
        self.build = bench_nva.BUILD
        self.lab.on_stop = lambda: self("stop")
        self("start", *options)
        self.nodes = [SandboxNode(self, n) for n in (1, 2, 3)]

    def __call__(self, *args):
        programs = [self.build + "/controller", self.build + "/utilities"]
        return run(bench_nva.SOURCE + "/utilities/nva-sandbox",
                   "--dir=" + self.dir, "--prefix=" + self.prefix, *args,
                   env={"PATH": ":".join(programs + [os.environ["PATH"]])})

    def add_vms(self):
        self("vm-add", VM, "hv1", VM_MAC, VM_IP)
        self("vm-add", PEER, "hv3", PEER_MAC, PEER_IP)
        self("vm-place", VM, "hv2")
        # The kernel must not say that it is the VM.
        for vm, hv in ((VM, "hv1"), (PEER, "hv3")):
            run("ip", "-n", "%s%s.%s" % (self.prefix, vm, hv),
                "addr", "flush", "dev", "eth0")


class TrafficNva:
    name = "ovs-nva"

    def __init__(self, others):
        self.sandbox = Sandbox(self.name)
        self.system = bench_nva.Nva(self.sandbox.lab)
        self.system.connect(self.sandbox.dir + "/db.sock")
        self.at = 0
        self.system.add_ports([(VM, VM_MAC, VM_IP),
                               (PEER, PEER_MAC, PEER_IP)])
        if others:
            self.system.add_far_ports(far_ports(others), N_FAR)
        self.sandbox.add_vms()
        self.system.wait_bound([VM, PEER])
        time.sleep(3)

    def prepare(self, way, old, new):
        self.move = self.system.announce(VM, new)

    def hooks(self, way):
        return ["--hook-prepared=%s/utilities/nva-ctl --db=unix:%s/db.sock "
                "--timeout=20 migrate-hold %s"
                % (self.sandbox.build, self.sandbox.dir, VM)] \
            if way == "hold" else []

    def resumed(self, new):
        pass

    def finish(self):
        self.system.finish(self.move)


class TrafficOvn:
    name = "OVN"

    def __init__(self, others):
        self.sandbox = Sandbox(self.name, "--no-controller")
        self.system = bench_ovn.Ovn(self.sandbox.lab)
        self.system.start_central()
        # Hypervisors in namespaces reach it by a file only.
        self.system.remote = "unix:" + self.sandbox.lab.path("sb", "db.sock")
        self.at = 0
        nodes = self.sandbox.nodes
        for node in nodes:
            node.vsctl("set", "Open_vSwitch", ".",
                       "external_ids:ovn-bridge-datapath-type=netdev")
            self.system.attach(node)
        self.system.wait_attached(nodes)
        self.system.add_ports([(VM, VM_MAC, VM_IP),
                               (PEER, PEER_MAC, PEER_IP)])
        self.system.set_home(VM, nodes[0])
        if others:
            self.system.add_far_ports(far_ports(others), N_FAR)
        self.sandbox.add_vms()
        self.system.barrier()
        time.sleep(3)

    def prepare(self, way, old, new):
        options = {"requested_chassis": old.name + "," + new.name}
        if way == "rarp":
            options["activation_strategy"] = "rarp"
        self.system.set_options(VM, **options)
        self.system.barrier()

    def hooks(self, way):
        return []

    def resumed(self, new):
        time.sleep(FINALIZE_AFTER)
        self.system.set_home(VM, new)

    def finish(self):
        self.system.barrier()


def place(scene, node):
    return "%s%s.%s:eth0" % (scene.sandbox.prefix, VM, node.name)


def moved(scene, way, rate):
    """One move under traffic; returns what nva-traffic says."""
    nodes = scene.sandbox.nodes
    old, new = nodes[scene.at], nodes[1 - scene.at]
    way = WAYS[way][scene.name]
    fifo = scene.sandbox.lab.path("resumed")
    if not os.path.exists(fifo):
        os.mkfifo(fifo)

    def wait_for_resume():
        with open(fifo) as f:
            f.read()
        scene.resumed(new)
    scene.prepare(way, old, new)
    thread = threading.Thread(target=wait_for_resume)
    thread.start()
    done = subprocess.run(
        [scene.sandbox.build + "/utilities/nva-traffic", "--json",
         "--mac=" + VM_MAC, "--ip=" + VM_IP,
         "--peer=%s%s.hv3:eth0:%s:%s" % (scene.sandbox.prefix, PEER, PEER_MAC,
                                         PEER_IP),
         "--old=" + place(scene, old), "--new=" + place(scene, new),
         "--rate=%d" % rate, "--duration=1.6", "--lead-ms=300",
         "--pause-ms=50", "--drain-ms=5", "--trigger=rarp",
         "--hook-resumed=echo > " + fifo, *scene.hooks(way),
         *(["--queue=1000"] if way in ("hold", "multi") else [])],
        capture_output=True, text=True, timeout=60)
    if done.returncode == 2 or not done.stdout.startswith("{"):
        with open(fifo, "w"):
            pass                # Let the thread end.
        thread.join()
        raise RuntimeError("nva-traffic: " + done.stderr)
    thread.join()
    scene.finish()
    time.sleep(0.3)
    scene.at = 1 - scene.at
    return json.loads(done.stdout)


# What reports call it, its unit, and how it follows from nva-traffic's JSON.
MEASURES = (
    ("RARP to first packet", "ms", lambda r: r["rarp_to_first_ms"]),
    ("lost before the pause", "packets",
     lambda r: r["to_vm"]["lost"]["before"] + r["from_vm"]["lost"]["before"]),
    ("lost in the pause (50 ms), to the VM", "packets",
     lambda r: r["to_vm"]["lost"]["paused"]),
    ("lost after the resume, to the VM", "packets",
     lambda r: r["to_vm"]["lost"]["after"]),
    ("lost after the resume, from the VM", "packets",
     lambda r: r["from_vm"]["lost"]["after"]),
    ("doubled", "packets", lambda r: r["doubled"]),
    ("reordered", "packets", lambda r: r["reordered"]),
    ("also at the old port after the resume", "packets",
     lambda r: r["late"]),
    ("longest gap to the VM", "ms", lambda r: r["to_vm"]["gap_ms"]),
)


def scene_traffic(args, results, systems):
    for others in args.others:
        results.attempt("traffic, %d other ports" % others, traffic_size,
                        args, results, systems, others)


def traffic_size(args, results, systems, others):
    scenes = [k(others) for k in (TrafficNva, TrafficOvn)
              if k.name in systems]
    for way in WAYS:
        if others and way != "told before":
            continue
        for rate in args.rates:
            runs = [[] for s in scenes]
            for i in range(args.moves):
                for s, r in zip(scenes, runs):
                    r.append(moved(s, way, rate))
            report(results, scenes, runs, way, others, rate)


def report(results, scenes, runs, way, others, rate):
    for scene, values in zip(scenes, runs):
        for what, unit, function in MEASURES:
            if way == "kept" and what.startswith("RARP"):
                continue        # The first packet waits for the VM.
            results.add("traffic", scene.name, what, unit,
                        [function(v) for v in values], way=way,
                        others=others, rate=rate)
