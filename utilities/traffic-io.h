/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef TRAFFIC_IO_H
#define TRAFFIC_IO_H 1

/* Sends and captures the packets of a 'struct traffic'.
 *
 * Every socket is an AF_PACKET socket that is opened inside its namespace, so
 * that neither addresses nor sockets nor ARP are needed there.  Two sender
 * threads, one per direction, and one receiver thread do the work; the
 * functions below are for the main thread. */

#include <stdbool.h>
#include <stdint.h>

struct traffic;

/* Life. */

/* Opens all sockets, builds the flows and starts the threads, silent.  The VM
 * is alive at place 0.  Returns NULL if successful, otherwise an error message
 * that the caller must free. */
char *traffic_io_open(struct traffic *);

/* Ends the threads and closes the sockets.  What was recorded stays. */
void traffic_io_close(struct traffic *);

/* Work. */

/* Packets flow from now on, or no longer. */
void traffic_io_start(struct traffic *);
void traffic_io_stop(struct traffic *);

/* From now on the VM is alive at 'alive', a bit per place, and sends from
 * 'sender', or from nowhere if that is -1.  No packet of either direction is
 * between its time stamp and the wire when this happens.  Returns the time.
 * With the 'alive' of before, this changes only where the VM sends. */
uint64_t traffic_io_set_alive(struct traffic *, uint32_t alive, int sender);

/* Broadcasts a RARP of the VM from 'place', as QEMU does after a migration.
 * Returns the time just before. */
uint64_t traffic_io_rarp(struct traffic *, int place);

/* Waits until what is under way has arrived and been recorded. */
void traffic_io_settle(struct traffic *, unsigned int ms);

/* Questions. */
uint64_t traffic_io_now(void);

#endif /* traffic-io.h */
