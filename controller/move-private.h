/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef MOVE_PRIVATE_H
#define MOVE_PRIVATE_H 1

/* What move.c (the move as a whole), move-part.c (what it does at each NVE),
 * move-hold.c, move-drain.c and move-wait.c share.  For them only. */

#include "move.h"

/* Tells the owner that 'point' has been reached, for tests. */
void move_reached__(struct move *move, enum fault_point point);

/* Goes on if all have switched. */
void move_check_switched__(struct move *move, long long int now,
                           long long int wall);

/* Feeds the procedure with 'event' and does what follows. */
void move_step__(struct move *move, enum migration_event event,
                 long long int now, long long int wall);

/* Makes everything as it was before. */
void move_undo__(struct move *move);

/* Looks at the counter of the redirect. */
void move_drain__(struct move *move, long long int now, long long int wall);

/* Returns true if 'move' waits for NVEs. */
bool move_is_waiting__(const struct move *move);

/* Returns when the phase has lasted too long, in ms. */
long long int move_deadline_of_phase__(const struct move *move);

/* Returns true if the move may go on although some NVEs do not follow: they
 * are away, and somebody has waited long enough. */
bool move_may_leave_behind__(const struct move *move, long long int now);

/* Returns the names of the NVEs for which 'move' waits, for the caller to
 * free. */
char *move_format_waiting__(const struct move *move);

/* Returns true if the part's NVE has been told that a hold has been taken
 * back, or, the new NVE, can be told. */
bool move_part_is_released__(const struct move_part *part);

/* Takes a hold back, in steps. */
void move_release__(struct move *move, long long int now);
void move_release_run__(struct move *move, long long int now,
                        long long int wall);

/* Has the old NVE send what is for the VM's interface to the new place, or not
 * any more.  This takes effect at once, whatever it has cached. */
void move_gate__(struct move *move, bool to_new);

/* Returns true if it can. */
bool move_has_gates__(const struct move *move);
void move_free_gates__(struct move *move);

/* The peers have been told of a hold: looks what the old NVE still delivers to
 * the VM's interface until that is nothing. */
void move_look__(struct move *move, long long int now);
void move_look_run__(struct move *move, long long int now, long long int wall);

/* Returns when the old NVE of a hold may be told to switch, if nothing else is
 * delivered there, so that no packet overtakes another. */
long long int move_in_order_at__(const struct move *move);

/* Returns false if a VM that is going to stop must not yet, because its old
 * interface may still be delivered to. */
bool move_is_old_quiet__(const struct move *move);

/* The unit of the move itself in the flows of an NVE. */
uint64_t move_unit__(const struct move *move);

/* Returns the interface of the moving port at 'nve', or null. */
struct attachment *move_interface_at__(const struct move *move,
                                       const struct nve *nve);

/* Tells the NVE of the part what it needs for the move now. */
void move_part_set__(struct move_part *part, bool after);

/* Removes all traces of the move from the NVE of the part. */
void move_part_revert__(struct move_part *part);

/* Adds a part, which the move owns. */
struct move_part *move_part_add__(struct move *move, struct nve *nve);

/* Set the flags of a part and the counts of its move. */
void move_part_set_ready__(struct move_part *part, bool ready);
void move_part_set_committed__(struct move_part *part);

/* Returns true if 'nve' is connected and has been compared. */
bool move_is_connected__(const struct nve *nve);

/* Returns true if the part is prepared as far as it can be at 'now', in
 * ms. */
bool move_part_is_ready__(struct move_part *part, long long int now);

/* Makes the stage of what the part is going to commit; 'stage' also brings it
 * to the switch, 'commit' has the switch carry it out. */
void move_part_build__(struct move_part *part, long long int now);
void move_part_stage__(struct move_part *part, long long int now);
void move_part_commit__(struct move_part *part, long long int now);

/* Prepares the ways through the underlay that the move brings about. */
void move_warm__(struct move *move, long long int now);

/* Free one part, or all. */
void move_part_free__(struct move_part *part);
void move_free_parts__(struct move *move);

#endif /* move-private.h */
