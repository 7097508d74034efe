/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef TRAFFIC_H
#define TRAFFIC_H 1

/* What nva-traffic knows of a run: where packets are sent and seen, the life
 * of the mobile VM, and every packet sent and captured.
 *
 * The mobile VM is a MAC and IP address that lives at one of several "places",
 * each an interface in a network namespace.  "Peers" are interfaces that
 * exchange numbered packets with it.  A "flow" is one direction of one address
 * family between the VM and one peer.
 *
 * There is one clock, CLOCK_REALTIME in nanoseconds: senders write it into
 * each packet and the kernel stamps each capture with it.
 *
 * traffic-io fills this in, in threads of its own; traffic-report reads it
 * once these are quiet. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAFFIC_NS_PER_MS 1000000ULL

enum {
    TRAFFIC_MAX_PLACES = 8,
    TRAFFIC_MAX_PEERS = 16,
    TRAFFIC_MAX_NVES = 16,
    TRAFFIC_MAX_POINTS
        = TRAFFIC_MAX_PLACES + TRAFFIC_MAX_PEERS + TRAFFIC_MAX_NVES,
    TRAFFIC_MAX_FLOWS = 4 * TRAFFIC_MAX_PEERS,
    TRAFFIC_MAX_EPOCHS = 64,
    TRAFFIC_MAX_FRAME = 1514,
};

enum traffic_dir {
    TRAFFIC_TO_VM,
    TRAFFIC_FROM_VM,
    TRAFFIC_N_DIRS
};

/* An interface in a network namespace. */
struct traffic_if {
    char name[64];              /* What reports call it. */
    char netns[128];            /* Name below /var/run/netns. */
    char dev[16];
};

struct traffic_addr {
    uint8_t mac[6];
    bool has_ip[2];             /* IPv4, IPv6. */
    uint8_t ip[2][16];
};

enum traffic_point_kind {
    TRAFFIC_POINT_PLACE,        /* What enters the VM at a place. */
    TRAFFIC_POINT_PEER,         /* What enters a peer. */
    TRAFFIC_POINT_NVE           /* What leaves a hypervisor's underlay port. */
};

/* A capture socket. */
struct traffic_point {
    enum traffic_point_kind kind;
    int index;                  /* Of the place, peer or NVE. */
    int fd;
    uint64_t last_ns;           /* Stamp of the last packet recorded. */
};

struct traffic_flow {
    enum traffic_dir dir;
    int peer;
    uint8_t frame[TRAFFIC_MAX_FRAME];
    uint64_t *tx_ns;            /* By sequence number. */
    uint32_t n_tx, allocated_tx;
};

/* One captured packet. */
struct traffic_rec {
    uint64_t rx_ns;
    uint32_t seq;
    uint16_t flow;
    uint16_t point;
};

/* From 'ns' on, until the next epoch, the VM is alive at 'alive' (a bit per
 * place; 0 while it is paused). */
struct traffic_epoch {
    uint64_t ns;
    uint32_t alive;
};

struct traffic;

/* The state of one direction's sender thread. */
struct traffic_sender {
    struct traffic *traffic;
    enum traffic_dir dir;
    pthread_t thread;
    pthread_mutex_t mutex;      /* Held from stamping a packet to sending it,
                                 * and to change the members below. */
    bool running, quit;
    int place;                  /* FROM_VM: where the VM sends, or -1. */
    uint64_t n_skipped;         /* Packets not sent because it was late. */
    uint64_t n_errors;          /* Sends that the kernel refused. */
    uint64_t max_stall_ns;      /* Longest time it was late. */
};

struct traffic {
    struct traffic_if places[TRAFFIC_MAX_PLACES];
    struct traffic_if peers[TRAFFIC_MAX_PEERS];
    struct traffic_if nves[TRAFFIC_MAX_NVES];
    struct traffic_addr vm, peer_addrs[TRAFFIC_MAX_PEERS];
    int n_places, n_peers, n_nves;

    unsigned int rate;          /* Packets per second, each way, all flows. */
    unsigned int size;          /* Bytes in a frame. */
    unsigned int queue;         /* Packets a place keeps until a resume. */
    uint64_t drain_ns;          /* See traffic-report.c. */
    bool vm_silent;             /* No packets from the VM. */

    int place_fds[TRAFFIC_MAX_PLACES], peer_fds[TRAFFIC_MAX_PEERS];
    struct traffic_point points[TRAFFIC_MAX_POINTS];
    int sink_fds[TRAFFIC_MAX_POINTS]; /* See traffic-io.c. */
    int n_points;
    struct traffic_flow flows[TRAFFIC_MAX_FLOWS];
    int n_flows;
    uint32_t run_id;            /* Tells our packets from others'. */

    struct traffic_sender senders[TRAFFIC_N_DIRS];
    pthread_t receiver;
    bool receiver_quit;         /* Atomic. */
    pthread_mutex_t recs_mutex; /* Guards 'recs' while the receiver runs. */
    struct traffic_rec *recs;
    size_t n_recs, allocated_recs;
    uint64_t n_capture_drops;

    uint64_t count_ns;          /* Packets sent earlier do not count. */
    uint64_t rarp_ns;           /* Last RARP sent, or 0. */
    struct traffic_epoch epochs[TRAFFIC_MAX_EPOCHS];
    int n_epochs;
};

#endif /* traffic.h */
