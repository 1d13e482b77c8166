/*
 * first_start.h - the credentials of a new store, written where its owner finds them.
 */
#pragma once

#include "access/admin.h"

/*
 * If the store has no organization yet: make one with an admin token, an access key and an allow-all policy; write DATA_DIR/credentials
 * (profile caisson) and DATA_DIR/admin-token, mode 0600; say on standard output how to use them at the url. The files are durable before
 * anything is in the index, so a crash in between starts anew and overwrites them.
 */
err first_start(struct access *, str data_dir, str url, struct arena *);
