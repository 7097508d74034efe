/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef MOVE_PRIVATE_H
#define MOVE_PRIVATE_H 1

/* What move.c (the move as a whole) and move-part.c (what it does at each NVE)
 * share.  For them only. */

#include "move.h"

/* The unit of the move itself in the flows of an NVE. */
uint64_t move_unit__(const struct move *move);

/* Returns the interface of the moving port at 'nve', or null. */
struct attachment *move_interface_at__(const struct move *move,
                                       const struct nve *nve);

/* Tells the NVE of the part what it needs for the move now. */
void move_part_set__(struct move_part *part, bool after);

/* Adds a part, which the move owns. */
struct move_part *move_part_add__(struct move *move, struct nve *nve);

/* Set the flags of a part and the counts of its move. */
void move_part_set_ready__(struct move_part *part, bool ready);
void move_part_set_committed__(struct move_part *part);

/* Returns true if 'nve' is connected and has been compared. */
bool move_is_connected__(const struct nve *nve);

/* Returns true if the part is prepared as far as it can be. */
bool move_part_is_ready__(const struct move_part *part);

/* Makes the stage of what the part is going to commit; 'stage' also brings it
 * to the switch, 'commit' has the switch carry it out. */
void move_part_build__(struct move_part *part, long long int now);
void move_part_stage__(struct move_part *part, long long int now);
void move_part_commit__(struct move_part *part, long long int now);

/* Free one part, or all. */
void move_part_free__(struct move_part *part);
void move_free_parts__(struct move *move);

#endif /* move-private.h */
