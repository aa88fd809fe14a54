/* SPDX-License-Identifier: MIT */
/*
 * The predecessor's side of a handover (handover.h): CHANNEL_HAND_OVER brings the link, all reactors are
 * parked, every session is told over the link with its descriptors. Nothing is changed here before the
 * successor has said ACK; if it does not, everything goes on as if nothing had been. Main thread.
 *
 *     hand_over_start()          hand_over_parked()                ACK
 *          PARKING ----------------> SENDING ----------------------> sessions forgotten, HANDED_OVER
 *             |                         |
 *             +-------------------------+----------------------------> parked no more, HANDOVER_FAILED
 *                  the link ends, hand_over_cancel()
 */
#ifndef AGENT_HAND_OVER_H
#define AGENT_HAND_OVER_H

#include <stdint.h>

struct agent;

/* HAND_OVER has come. */
void hand_over_start(struct agent *a, int take_link);

/* All reactors are in the park. */
void hand_over_parked(struct agent *a);

/* The link is readable or writable, or it is time to try again. */
void hand_over_event(struct agent *a, uint32_t ready);

/*
 * Decide now: the successor has said ACK, or it never will, because the link ends here. No-op when there is no
 * handover.
 */
void hand_over_cancel(struct agent *a);

#endif
