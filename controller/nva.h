/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef NVA_H
#define NVA_H 1

/* The Network Virtualization Authority: owns all instances of the layers
 * below, and the order in which they run.
 *
 * Used from one thread. */

#include "loop.h"

struct nva;

struct nva_config {
    const char *db;             /* Remote of the NVA database. */
    const char *ovsdb_listen;   /* For hypervisors that dial in, or null. */
    const char *openflow_listen;
    const struct loop_tls_files *tls; /* Null for no TLS. */
    bool enable_faults;         /* For tests, see fault.h. */
    const char *route_file;     /* For host routes, or null. */
    const char *bird;           /* Control socket of BIRD, or null. */
};

/* Returns null on success, otherwise an error message that the caller must
 * free. */
char *nva_create(const struct nva_config *, struct nva **);
void nva_destroy(struct nva *);

void nva_run(struct nva *);
void nva_wait(struct nva *);

#endif /* nva.h */
