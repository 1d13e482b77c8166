/*
 * room.h - how much room a file system has, and how much of it is held back.
 *
 * Engines refuse what would make them larger while less than the reserve is free, so that deletions, which write too, go on
 * on a disk that is full. Each keeps the rule for the file system of its own directory.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* Free bytes of the file system of an open directory; UINT64_MAX if it does not say. */
uint64_t room_free(int dir_fd);
/* What to hold back there: wanted, but at most a twentieth of the file system. */
uint64_t room_reserve(int dir_fd, uint64_t wanted);
/* -ENOSPC if less than the reserve would be free after so many bytes more. */
err room_check(int dir_fd, uint64_t reserve, uint64_t bytes);
