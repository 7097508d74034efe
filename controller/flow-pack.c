/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "flow-pack.h"

#include <string.h>

#include "hash.h"
#include "unaligned.h"
#include "util.h"

/* A packed block is a sequence of steps.  Each is a byte with the number of
 * literals in its upper and the length of a copy, less MIN_COPY, in its lower
 * half; a half of 15 is followed by bytes that are added to it, the last of
 * which is below 255; then the literals; then how far back the copy begins, in
 * one byte if it is below 128, otherwise in two, the first of which has its
 * upper bit set.  The last step has no copy. */

#define MIN_COPY 4
#define N_HEADS 1024

struct packer {
    const uint8_t *from;        /* The whole block. */
    uint8_t *to;
    size_t n_to, max;           /* Bytes at 'to', and how many fit. */
};

static bool
put(struct packer *pk, uint8_t byte)
{
    if (pk->n_to >= pk->max) {
        return false;
    }
    pk->to[pk->n_to++] = byte;
    return true;
}

/* Puts what does not fit into half a byte. */
static bool
put_rest(struct packer *pk, size_t n)
{
    if (n < 15) {
        return true;
    }
    for (n -= 15; n >= 255; n -= 255) {
        if (!put(pk, 255)) {
            return false;
        }
    }
    return put(pk, n);
}

/* Puts a step.  Without a copy if 'distance' is 0. */
static bool
put_step(struct packer *pk, size_t literals, size_t n_literals,
         size_t distance, size_t length)
{
    size_t more = distance ? length - MIN_COPY : 0;

    if (!put(pk, MIN(n_literals, 15) << 4 | MIN(more, 15))
        || !put_rest(pk, n_literals)
        || n_literals > pk->max - pk->n_to) {
        return false;
    }
    memcpy(pk->to + pk->n_to, pk->from + literals, n_literals);
    pk->n_to += n_literals;
    if (!distance) {
        return true;
    } else if (!put_rest(pk, more)) {
        return false;
    }
    return (distance < 128 ? put(pk, distance)
            : put(pk, 128 | distance >> 8) && put(pk, distance & 255));
}

static uint32_t
read_word(const uint8_t *p)
{
    return get_unaligned_u32((const uint32_t *) p);
}

static bool
pack(struct packer *pk, size_t n)
{
    uint16_t heads[N_HEADS];    /* Where a word was last seen, plus 1. */
    size_t literals = 0;

    memset(heads, 0, sizeof heads);
    for (size_t i = 0; i + MIN_COPY <= n; ) {
        uint32_t word = read_word(pk->from + i);
        uint16_t *head = &heads[hash_int(word, 0) % N_HEADS];
        size_t at = *head;
        size_t length = MIN_COPY;

        *head = i + 1;
        if (!at-- || read_word(pk->from + at) != word) {
            i++;
            continue;
        }
        while (i + length < n && pk->from[at + length]
                                 == pk->from[i + length]) {
            length++;
        }
        if (!put_step(pk, literals, i - literals, i - at, length)) {
            return false;
        }
        literals = i += length;
    }
    return put_step(pk, literals, n - literals, 0, 0);
}

uint8_t *
flow_pack(const uint8_t *p, size_t n, size_t *packed)
{
    uint8_t buffer[FLOW_PACK_MAX];
    struct packer pk = { .from = p, .to = buffer, .max = n };

    if (n > FLOW_PACK_MAX || !pack(&pk, n)) {
        return NULL;
    }
    *packed = pk.n_to;
    return xmemdup(buffer, pk.n_to);
}

/* Returns the number that begins with 'half' and goes on at '*p'. */
static size_t
get_rest(const uint8_t **p, size_t half)
{
    if (half == 15) {
        uint8_t byte;

        do {
            byte = *(*p)++;
            half += byte;
        } while (byte == 255);
    }
    return half;
}

void
flow_unpack(const uint8_t *p, size_t packed, uint8_t *to, size_t n)
{
    const uint8_t *end = p + packed;
    const uint8_t *start = to;

    while (p < end) {
        uint8_t step = *p++;
        size_t n_literals = get_rest(&p, step >> 4);
        size_t length, distance;

        memcpy(to, p, n_literals);
        to += n_literals;
        p += n_literals;
        if (p == end) {
            break;
        }
        length = get_rest(&p, step & 15) + MIN_COPY;
        distance = *p++;
        if (distance & 128) {
            distance = (distance & 127) << 8 | *p++;
        }
        /* Byte by byte, because they may overlap. */
        for (const uint8_t *from = to - distance; length--; ) {
            *to++ = *from++;
        }
    }
    ovs_assert(to - start == n);
}
