/*
 * clients.h - how many workers each client address holds. Private to src/http.
 *
 * A client at its limit is not refused: its further requests wait for its own earlier ones, and others pass. IPv6
 * clients count by their /64.
 */
#pragma once

#include <netinet/in.h>

#include "http/exchange.h"

struct clients;

/* workers: one client may hold, 0: any number. waiting_max: requests that may wait, of all clients together. */
struct clients *clients_new(struct pool *, unsigned workers, unsigned waiting_max);
void clients_free(struct clients **);

/*
 * Put x into the pool, now or when its client's turn comes; clients_leave() when it is done. false: there are too many. From
 * the moment of the call x may be running.
 */
bool clients_enter(struct clients *, const struct in6_addr *, struct exchange *x);
/*
 * A request of this client has left its worker: the next one goes into the pool in its place. Those that the pool does not take
 * are returned, a list by ->next: they have no place any more and are to be refused.
 */
struct exchange *clients_leave(struct clients *, const struct in6_addr *);
