/* room.c - how much room a file system has, and how much of it is held back. */
#include "base/room.h"

#include <inttypes.h>
#include <sys/statvfs.h>

#define SHARE 20

uint64_t
room_free(int dir_fd)
{
	struct statvfs fs;

	return fstatvfs(dir_fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}

uint64_t
room_reserve(int dir_fd, uint64_t wanted)
{
	struct statvfs fs;
	uint64_t most;

	if (fstatvfs(dir_fd, &fs) != 0 || fs.f_blocks == 0)
		return wanted;
	most = (uint64_t)fs.f_blocks * fs.f_frsize / SHARE;
	return wanted < most ? wanted : most;
}

err_v
room_check(int dir_fd, uint64_t reserve, uint64_t bytes)
{
	uint64_t have = room_free(dir_fd);

	if (reserve == 0 || (have >= reserve && have - reserve >= bytes))
		return ERR_OK;
	return err_errno(ENOSPC, "%" PRIu64 " bytes are free, %" PRIu64 " are held back, %" PRIu64 " are wanted", have, reserve, bytes);
}
