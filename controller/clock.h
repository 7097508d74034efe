/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef CLOCK_H
#define CLOCK_H 1

/* The only place that reads the clock; everything below the NVA takes the time
 * as an argument. */

/* Monotonic, in ms; virtual when the test suite stops the time. */
long long int clock_msec(void);

/* Since the epoch, in µs. */
long long int clock_wall_usec(void);

#endif /* clock.h */
