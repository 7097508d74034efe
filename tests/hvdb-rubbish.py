# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""A peer that talks nonsense: connects to the Unix socket SOCKET once for each
case, answers the first request with the case, waits until the other side hangs
up, and prints the number of cases at the end."""

import json
import socket
import sys

UUID = "11111111-2222-3333-4444-555555555555"
OVS = {"external_ids": ["map", []], "other_config": ["map", []],
       "ovs_version": "3.1.0", "bridges": ["set", []],
       "manager_options": ["set", []]}
BRIDGE = {"name": "br-int", "datapath_id": ["set", []], "datapath_type": "",
          "fail_mode": "secure", "protocols": ["set", []],
          "controller": ["set", []], "ports": ["set", []],
          "flow_tables": ["map", []]}


def reply(result):
    return lambda i: [{"id": i, "result": result, "error": None}]


def row(table, good, **bad):
    return reply({table: {UUID: {"new": dict(good, **bad)}}})


def ovs(**bad):
    return row("Open_vSwitch", OVS, **bad)


def bridge(**bad):
    return row("Bridge", BRIDGE, **bad)


def then(*messages):
    """A good snapshot, followed by 'messages'."""
    return lambda i: (bridge()(i) + list(messages))


def update(updates, monitor="nva"):
    return {"id": None, "method": "update", "params": [monitor, updates]}


CASES = [
    # The reply as a whole.
    lambda i: [{"id": i, "result": None, "error": "unknown database"}],
    lambda i: [{"id": i, "result": None, "error": {"error": 7, "a\nb": []}}],
    lambda i: [{"id": "no such", "result": {}, "error": None}],
    lambda i: [{"id": [i], "result": {}, "error": None}],
    lambda i: [{"id": 5, "method": "steal", "params": []}],
    lambda i: [{"id": None, "method": "locked", "params": ["x"]}],
    lambda i: [update({})],
    reply([]), reply("x"), reply(3), reply(True), reply(-1.5),
    # Tables and rows.
    reply({"Open_vSwitch": []}),
    reply({"Open_vSwitch": 1}),
    reply({"No_Such_Table": {}}),
    reply({"Bridge": {"": {"new": BRIDGE}}}),
    reply({"Bridge": {"not a uuid": {"new": BRIDGE}}}),
    reply({"Bridge": {UUID + "0": {"new": BRIDGE}}}),
    reply({"Bridge": {UUID: []}}),
    reply({"Bridge": {UUID: {}}}),
    reply({"Bridge": {UUID: {"new": 1}}}),
    reply({"Bridge": {UUID: {"new": {}}}}),
    reply({"Bridge": {UUID: {"old": BRIDGE}}}),
    reply({"Bridge": {UUID: {"old": {}, "new": BRIDGE}}}),
    # Data.
    ovs(external_ids=None), ovs(external_ids=[]), ovs(external_ids="x"),
    ovs(external_ids=["map"]), ovs(external_ids=["map", {}]),
    ovs(external_ids=["map", [1]]), ovs(external_ids=["map", [[]]]),
    ovs(external_ids=["map", [["a"]]]), ovs(external_ids=["map", [["a", 1]]]),
    ovs(external_ids=["map", [["a", "b", "c"]]]),
    ovs(external_ids=["map", [[["uuid", UUID], "b"]]]),
    ovs(external_ids=["set", []]),
    ovs(bridges=["set", ["x"]]), ovs(bridges=["set", [["uuid", "x"]]]),
    ovs(bridges=["uuid", 1]), ovs(bridges=["named-uuid", "x"]),
    ovs(bridges=["set", [["set", []]]]), ovs(bridges=["map", []]),
    ovs(ovs_version=3), ovs(ovs_version=["set", [3]]),
    bridge(name=["set", []]), bridge(name=1), bridge(name={}),
    bridge(flow_tables=["map", [["a", ["uuid", UUID]]]]),
    bridge(flow_tables=["map", [[1, "x"]]]),
    bridge(flow_tables=["map", [[1.5, ["uuid", UUID]]]]),
    # Updates.
    then(update([])), then(update({}, "other")), then(update({}, 1)),
    then({"id": None, "method": "update", "params": []}),
    then({"id": None, "method": "update", "params": ["nva"]}),
    then({"id": None, "method": "update2", "params": ["nva", {}]}),
    then(update({"Bridge": {UUID: {"new": BRIDGE}}})),
    then(update({"Port": {UUID: {"old": {}}}})),
    then(update({"Bridge": {UUID: {"old": {}, "new": {"name": "x"}}}})),
    then(update({"Bridge": {UUID: {"old": {}}}}), {"id": "x", "result": []}),
    # References to nowhere and numbers out of range are no offence; what ends
    # these is that the peer hangs up.
    lambda i: bridge(
        ports=["set", [["uuid", UUID], ["uuid", UUID]]],
        controller=["uuid", UUID], datapath_id="zz",
        flow_tables=["map", [[-1, ["uuid", UUID]], [999999, ["uuid", UUID]],
                             [0, ["uuid", UUID]]]])(i) + [None],
    lambda i: ovs(external_ids=["map", [["system-id", "a\nb\u0001"],
                                        ["system-id", "c"]]])(i) + [None],
]

# Answers to the transaction that follows a good snapshot.
TXN_CASES = [[], "x", 1, True, {}, [1], ["x"], [None], [[]], [{}] * 2,
             [{}] * 100]


def read_json(conn, state):
    """Returns the next JSON value, None at the end."""
    while True:
        try:
            value, n = json.JSONDecoder().raw_decode(state["in"])
            state["in"] = state["in"][n:]
            return value
        except ValueError:
            data = conn.recv(65536)
            if not data:
                return None
            state["in"] += data.decode()


def serve(conn, case, txn_result):
    state = {"in": ""}
    request = read_json(conn, state)
    if request is None:
        return False
    for message in case(request["id"]):
        if message is None:
            return True
        conn.sendall(json.dumps(message).encode())
    if txn_result is not None:
        request = read_json(conn, state)
        assert request["method"] == "transact", request
        conn.sendall(json.dumps(reply(txn_result)(request["id"])[0]).encode())
    try:
        while read_json(conn, state) is not None:
            pass
    except ConnectionError:
        pass
    return True


def main():
    todo = ([(case, None) for case in CASES]
            + [(reply({"Open_vSwitch": {UUID: {"new": OVS}}}), result)
               for result in TXN_CASES])
    n = 0
    while n < len(todo):
        conn = socket.socket(socket.AF_UNIX)
        conn.settimeout(20)
        conn.connect(sys.argv[1])
        # False if the peer has not done with the last connection yet.
        n += serve(conn, *todo[n])
        conn.close()
    print("%d cases" % n)


main()
