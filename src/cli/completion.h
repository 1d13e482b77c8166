/*
 * completion.h - scripts that complete command lines.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

/* For "bash" or "zsh"; false: no such shell. */
bool completion(const char *shell, struct buf *out);
