/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef FLOW_PACK_H
#define FLOW_PACK_H 1

/* Makes flows that nobody looks at small.
 *
 * The flows of a port repeat its number, its addresses and each other.  So a
 * block of them is kept as a sequence of literal bytes and of references to
 * what came before (LZ77), about a fifth of its size.  The same block always
 * gives the same bytes. */

#include <stddef.h>
#include <stdint.h>

/* Blocks larger than that are not worth it. */
#define FLOW_PACK_MAX 32768

/* Returns the packed form of the 'n' bytes at 'p', which the caller must free,
 * and stores its size in '*packed'; null if it would not be smaller or 'n' is
 * above FLOW_PACK_MAX. */
uint8_t *flow_pack(const uint8_t *p, size_t n, size_t *packed);

/* Unpacks the 'packed' bytes at 'p' into the 'n' bytes at 'to', their size
 * before they were packed. */
void flow_unpack(const uint8_t *p, size_t packed, uint8_t *to, size_t n);

#endif /* flow-pack.h */
