# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
#
# For random-moves: the kinds of moves and the evacuations, and what the
# hypervisor and the VM do in each.

import time
import uuid

from random_scene import GATEWAY_NVES, Failure, sleep

OVER = ("done", "cancelled", "failed")

# Longest wait for a move to end, in s.
MOVE_MAX = 100

# How a VM says that it has arrived; "data": it just goes on.
ANNOUNCEMENTS = ["rarp", "garp", "reply", "unicast", "data"]


class Kinds:
    """The kinds of moves.  Each is a generator that gets the run and the move
    and ends when it has nothing to do but wait."""

    @staticmethod
    def announce(run, move):
        if (yield from move.wait("prepared")):
            yield from sleep(move.delay)
            yield from move.resume()

    @staticmethod
    def activate(run, move):
        if (yield from move.wait("prepared")):
            yield from move.say("activate")

    @staticmethod
    def now(run, move):
        if (yield from move.wait("draining", "done")):
            yield from move.resume()

    @staticmethod
    def hold(run, move):
        if (yield from move.wait("prepared")):
            yield from move.say("hold")

    @staticmethod
    def paused(run, move):
        if (yield from move.wait("prepared")):
            yield from move.say("paused")

    @staticmethod
    def cancel(run, move):
        yield from sleep(move.delay)
        yield from run.request(move.id, "cancel")

    @staticmethod
    def cancel_prepared(run, move):
        if (yield from move.wait("prepared")):
            yield from sleep(move.delay)
            yield from run.request(move.id, "cancel")

    @staticmethod
    def cancel_held(run, move):
        """The VM goes on at its old place."""
        if (yield from move.wait("prepared")):
            yield from run.request(move.id, "hold")
            yield from sleep(move.delay)
            yield from run.request(move.id, "cancel")

    @staticmethod
    def cold(run, move):
        """The VM was stopped before; it starts at its new place."""
        if (yield from move.wait("prepared")):
            yield from sleep(move.delay)
            yield from move.resume()

    @staticmethod
    def cold_cancel(run, move):
        """The VM starts again where it was."""
        yield from sleep(move.delay)
        yield from run.request(move.id, "cancel")

    @staticmethod
    def warm(run, move):
        """The port changes while the new place is ready."""
        if (yield from move.wait("prepared")):
            address = "10.0.9.%d" % (move.vm.index + 1)
            if move.change:
                yield from run.set_address(move.vm, address, True)
            yield from sleep(move.delay)
            if move.change:
                yield from run.set_address(move.vm, address, False)
            yield from move.say(move.word)


# Kind, how often, its row.
KINDS = [
    (Kinds.announce, 8, {"trigger": "announce"}),
    (Kinds.activate, 3, {"trigger": "announce"}),
    (Kinds.now, 3, {"trigger": "now"}),
    (Kinds.hold, 2, {"trigger": "announce"}),
    (Kinds.paused, 2, {"trigger": "announce"}),
    (Kinds.cancel, 1, {"trigger": "announce"}),
    (Kinds.cancel_prepared, 2, {"trigger": "announce"}),
    (Kinds.cancel_held, 2, {"trigger": "announce"}),
    (Kinds.cold, 2, {"trigger": "announce", "kind": "cold"}),
    (Kinds.cold_cancel, 1, {"trigger": "announce", "kind": "cold"}),
    (Kinds.warm, 3, {"trigger": "announce", "kind": "warm"}),
]


class Move:
    def __init__(self, rng, vm):
        kind = rng.choices(KINDS, [k[1] for k in KINDS])[0]
        self.vm, self.kind = vm, kind[0]
        self.row = dict({"kind": "hot"}, **kind[2])
        self.step = rng.random()    # To which of the other hypervisors.
        self.start = rng.choice([0, 0, rng.uniform(0, .3)])
        self.delay = rng.choice([0, rng.uniform(0, .05), rng.uniform(0, .5)])
        self.pause = rng.choice([0, rng.uniform(0, .05)])
        self.announcement = rng.choice(ANNOUNCEMENTS)
        self.word = rng.choice(["activate", "hold", "paused"])
        self.change = rng.choice([False, True])
        self.id = None              # "id" of its external_ids, or its UUID.
        self.old = self.new = None
        self.phase, self.error, self.triggered_by = "not requested", "", ""
        self.run = None

    def __str__(self):
        return "%s %s -> %s %s %s%s%s" % (
            self.vm.name, self.old, self.new, self.kind.__name__, self.phase,
            " by " + self.triggered_by if self.triggered_by else "",
            ": " + self.error if self.error else "")

    def see(self, row):
        """Takes note of what the database says."""
        self.new = row["new_nve"]
        self.phase, self.error = row["phase"], row["error"]
        self.triggered_by = row["triggered_by"]

    def wait(self, *phases):
        """The value is true if one of PHASES was reached."""
        until = time.monotonic() + MOVE_MAX
        while self.phase not in phases and self.phase not in OVER:
            if time.monotonic() > until:
                raise Failure("the move does not get %s: %s" % (phases, self))
            yield
        return self.phase in phases

    def say(self, word):
        """The hypervisor says WORD and moves the VM.  All but "hold" is said
        after it has been stopped."""
        if word != "hold":
            self.vm.lives = None
        yield from self.run.request(self.id, word)
        if (yield from self.wait("draining", "done", *(
                ["held"] if word != "activate" else []))):
            yield from self.resume()

    def resume(self):
        vm = self.vm
        vm.lives = None
        yield from sleep(self.pause)
        self.run.say("%s lives at %s" % (vm.name, self.new))
        vm.lives = self.new
        vm.announce(self.announcement,
                    self.run.scene.traffic.neighbors(vm)[0])

    def act(self, run):
        self.run = run
        yield from sleep(self.start)
        others = [hv for hv in run.scene.hvs
                  if hv not in (self.vm.lives, run.evacuated)]
        self.old = self.vm.lives
        self.new = others[int(self.step * len(others))]
        self.vm.settled = None
        if self.row["kind"] == "cold":
            self.vm.lives = None
        self.id = str(uuid.UUID(int=run.rng_ids.getrandbits(128), version=4))
        row = dict(self.row, port=self.vm.name, new_nve=self.new,
                   phase="requested",
                   external_ids=["map", [["id", self.id]]])
        while not run.insert("Migration", self.id, row):
            yield
        run.say("move " + str(self))
        yield from self.kind(run, self)
        yield from self.end()

    def act_evacuated(self, run, evacuation):
        """The same for a move that the controller starts."""
        self.run = run
        self.old = self.vm.lives
        self.vm.settled = None
        self.kind = getattr(Kinds, evacuation.trigger)
        while not self.id and evacuation.phase not in OVER:
            yield
        if self.id:
            run.say("evacuates " + str(self))
            yield from self.kind(run, self)
        else:
            self.phase = evacuation.phase
        yield from self.end()

    def end(self):
        yield from self.wait(*OVER)
        self.run.say("over " + str(self))
        place = self.new if self.phase == "done" else self.old
        if self.phase == "done" and self.vm.lives == self.old:
            raise Failure("it moved, but the VM did not: %s" % self)
        if self.vm.lives != place:
            # What an orchestrator would do, had it not gone on too early.
            self.vm.lives = place
        self.vm.settle(place)


class GatewayChange:
    """What an operator does with gateways: takes those at a hypervisor out of
    service for a while, or has another one serve a VM."""

    def __init__(self, rng, vms):
        self.hv = rng.choice(GATEWAY_NVES)
        self.drained = rng.choice([["gwb"], ["gwo"], ["gwb", "gwo"], []])
        self.vm = rng.choice([vm for vm in vms if vm.router])
        self.delay = rng.uniform(0, .5)
        self.length = rng.choice([0, rng.uniform(0, .3), rng.uniform(0, 1)])

    @staticmethod
    def write(run, table, names, change):
        """CHANGE is the rest of an operation on the rows with these NAMES."""
        while run.scene.transact(*[
                dict({"table": table, "where": [["name", "==", name]]},
                     **change) for name in names]) is None:
            yield
        run.say("%s %s: %s" % (table, " ".join(names), change))

    def act(self, run):
        yield from sleep(self.delay)
        names = [name + self.hv[2:] for name in self.drained]
        if names:
            yield from self.write(run, "Gateway", names, {
                "op": "mutate", "mutations": [
                    ["options", "insert", ["map", [["drain", "true"]]]]]})
            yield from sleep(self.length)
            yield from self.write(run, "Gateway", names, {
                "op": "mutate", "mutations": [
                    ["options", "delete", ["set", ["drain"]]]]})
        else:
            yield from self.write(run, "Port", [self.vm.name], {
                "op": "update", "row": {"gateway": "gwb" + self.hv[2:]}})


class Evacuation:
    """Of all VMs that live at a hypervisor.  'moves' are how each VM of the
    scene would go."""

    def __init__(self, rng, vms, hvs):
        self.nve = rng.choice(hvs)
        self.trigger = rng.choice(["announce", "now"])
        self.parallel = rng.randint(1, len(vms))
        self.cancel = rng.choice([None, None, None, rng.uniform(0, .5)])
        self.moves = [Move(rng, vm) for vm in vms]
        self.id = None
        self.phase, self.error = "not requested", ""

    def __str__(self):
        return "evacuation of %s %s%s" % (
            self.nve, self.phase, ": " + self.error if self.error else "")

    def see(self, row):
        self.phase, self.error = row["phase"], row["error"]

    def see_move(self, row):
        """ROW is that of a move that this evacuation wants."""
        uid = row["_uuid"][1]
        for move in self.moves:
            if move.vm.name == row["port"]:
                if move.id not in (None, uid):
                    raise Failure("moved twice by one evacuation: %s" % move)
                move.id = uid
                move.see(row)

    def choose(self):
        """Those of 'moves' that are to be made."""
        self.moves = [m for m in self.moves if m.vm.lives == self.nve]
        return self.moves

    def act(self, run):
        self.id = str(uuid.UUID(int=run.rng_ids.getrandbits(128), version=4))
        row = {"nve": self.nve, "parallel": self.parallel,
               "trigger": self.trigger,
               "external_ids": ["map", [["id", self.id]]]}
        while not run.insert("Evacuation", self.id, row):
            yield
        run.say("%s by %s, %d VMs" % (self, self.trigger, len(self.moves)))
        if self.cancel is not None:
            yield from sleep(self.cancel)
            yield from run.request(self.id, "cancel", "Evacuation")
        until = time.monotonic() + MOVE_MAX
        while self.phase not in OVER:
            if time.monotonic() > until:
                raise Failure("no end: %s" % self)
            yield
        run.say("over " + str(self))
        if self.phase == "done":
            while any(m.phase not in OVER for m in self.moves):
                yield
            stayed = [m for m in self.moves if m.phase != "done"]
            if stayed:
                raise Failure("%s, but %s" % (self, stayed[0]))
