/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "clock.h"

#include <sys/time.h>

#include "timeval.h"

long long int
clock_msec(void)
{
    return time_msec();
}

long long int
clock_wall_usec(void)
{
    struct timeval tv;

    xgettimeofday(&tv);
    return tv.tv_sec * 1000000LL + tv.tv_usec;
}
