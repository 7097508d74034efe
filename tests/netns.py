# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
"""Sockets in other network namespaces; a socket stays where it was made."""

import contextlib
import ctypes
import os
import socket

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3


@contextlib.contextmanager
def entered(name):
    """In the block, this thread is in network namespace NAME."""
    libc = ctypes.CDLL(None, use_errno=True)
    ours = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        theirs = os.open("/run/netns/" + name, os.O_RDONLY)
        try:
            if libc.setns(theirs, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns " + name)
        finally:
            os.close(theirs)
        try:
            yield
        finally:
            libc.setns(ours, CLONE_NEWNET)
    finally:
        os.close(ours)


def packet_socket(name, device):
    """Returns a raw socket on DEVICE of network namespace NAME."""
    with entered(name):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                          socket.htons(ETH_P_ALL))
        s.bind((device, ETH_P_ALL))
        return s
