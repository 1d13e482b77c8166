/*
 * head_syntax.h - the lexer under head.c: llhttp, kept in a file of its own because
 * its header and http/head.h both name the methods HTTP_GET and so on.
 */
#pragma once

#include "base/str.h"

struct head_field {
	str name, value;	/* value: with the blanks that surround it */
};

struct head_syntax {
	str target;
	int minor;
	struct head_field *field;	/* room for fields_max, given by the caller */
	unsigned fields, fields_max;
};

/*
 * bytes: a whole head, its empty line included. NULL, and s is filled with what
 * borrows from bytes; or why it is refused, in a few words.
 */
const char *head_syntax_parse(str bytes, struct head_syntax *s);
