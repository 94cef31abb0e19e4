/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The message of the last failure of this thread. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <umbra/status.h>

static _Thread_local char message[2048];

/* A message is one line: control characters of foreign text become spaces. */
static void one_line(void)
{
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < 32)
			*c = ' ';
}

um_status um_fail(um_status code, const char *fmt, ...)
{
	char text[sizeof(message)]; /* an argument may be um_message() itself */
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(message, text, sizeof(text));
	one_line();
	return code;
}

um_status um_context(um_status code, const char *fmt, ...)
{
	char old[sizeof(message)];
	memcpy(old, message, sizeof(old));
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message) - 2, fmt, ap);
	va_end(ap);
	strcat(message, ": ");
	size_t n = strlen(message), more = strlen(old), room = sizeof(message) - 1 - n;
	memcpy(message + n, old, more < room ? more : room);
	message[n + (more < room ? more : room)] = '\0';
	one_line();
	return code;
}

const char *um_message(void)
{
	return message;
}
