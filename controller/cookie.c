/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "cookie.h"

#include <stddef.h>

#include "uuid.h"

#define ID_BITS 48

uint64_t
cookie_make(enum cookie_kind kind, uint64_t id)
{
    return (uint64_t) kind << ID_BITS | id;
}

enum cookie_kind
cookie_kind(uint64_t cookie)
{
    return cookie >> ID_BITS;
}

uint64_t
cookie_id(uint64_t cookie)
{
    return cookie & ((UINT64_C(1) << ID_BITS) - 1);
}

const char *
cookie_kind_name(uint64_t cookie)
{
    switch (cookie >> ID_BITS) {
#define COOKIE(NAME, N, STRING, OBJECT, MEANING) case N: return STRING;
        COOKIES
#undef COOKIE
    default:
        return NULL;
    }
}

enum cookie_object
cookie_object(uint64_t cookie)
{
    switch (cookie >> ID_BITS) {
#define COOKIE(NAME, N, STRING, OBJECT, MEANING) \
    case N: return COOKIE_OF_##OBJECT;
        COOKIES
#undef COOKIE
    default:
        return COOKIE_OF_NOTHING;
    }
}

const char *
cookie_table(uint64_t cookie)
{
    static const char *const tables[] = {
        [COOKIE_OF_NVE] = "NVE",
        [COOKIE_OF_VN] = "Virtual_Network",
        [COOKIE_OF_PORT] = "Port",
        [COOKIE_OF_MIGRATION] = "Migration",
        [COOKIE_OF_GATEWAY] = "Gateway",
        [COOKIE_OF_GROUP] = NULL,
    };

    return tables[cookie_object(cookie)];
}

uint64_t
cookie_id_from_uuid(const struct uuid *uuid)
{
    return (uint64_t) uuid->parts[0] << 16 | uuid->parts[1] >> 16;
}
