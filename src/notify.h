/* notify.h - tell systemd how the service is (sd_notify(3)). */
#pragma once

/* Sends state ("READY=1") to the socket named by NOTIFY_SOCKET. Nothing happens without one. */
void notify(const char *state);
