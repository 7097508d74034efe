/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef TEST_NVA_H
#define TEST_NVA_H 1

/* Subcommands of test-nva that have a file of their own, and what they share.
 * Each takes the arguments after its name and returns an exit status. */

#include <netinet/in.h>
#include <stdint.h>

struct nve;
struct topology;
struct vn;

int test_announcer(int argc, char *argv[]);
int test_icmp_error(int argc, char *argv[]);
int test_mcast(int argc, char *argv[]);
int test_migration(int argc, char *argv[]);
int test_neighbor(int argc, char *argv[]);
int test_ofsync(int argc, char *argv[]);
int test_prober(int argc, char *argv[]);
int test_trace(int argc, char *argv[]);
int test_watch(int argc, char *argv[]);
int test_wiring(int argc, char *argv[]);

/* Parses an IPv4 (to v4-mapped form) or IPv6 address. */
struct in6_addr test_ip(const char *);

/* Makes 'nve' a gateway of 'vn' with the given id, which routes to all VNs, or
 * ends that; and has some ports of the VN served by some gateway. */
void test_toggle_gateway(struct topology *, struct vn *, struct nve *,
                         uint64_t id);

/* Removes all gateways. */
void test_remove_gateways(struct topology *);

#endif /* test-nva.h */
