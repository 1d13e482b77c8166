/*
 * serve.h - run a store: build the object graph, serve until told to stop, drain, take it apart.
 */
#pragma once

#include "config/config.h"

/* false: it could not start; the reason has been logged. */
bool serve(const struct config *);
