/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Status codes, and the one message of this thread that goes with them. */
#ifndef UMBRA_STATUS_H
#define UMBRA_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define UM_API __attribute__((visibility("default")))
#define UM_USED __attribute__((warn_unused_result))
#define UM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

typedef enum um_status {
	UM_OK = 0,
	UM_EARG,    /* a caller broke the contract of a function */
	UM_EPARAM,  /* the command line or a pipeline file is wrong */
	UM_EDATA,   /* a data file is missing, malformed or inconsistent */
	UM_EIO,     /* the operating system refused a read or a write */
	UM_ENOMEM,  /* an array did not fit in memory */
	UM_ENUM,    /* the numbers failed: NaN, divergence, singular matrix */
	UM_EPLUGIN, /* a shared object is not a usable plugin, or a plugin misbehaved */
	UM_EINTR,   /* stopped on request before the work was done */
} um_status;

/* Records a message for this thread and returns code, so that a failing line
 * reads: return um_fail(UM_EDATA, "%s: no UV table", path);
 * The message is one line; it says where, what is wrong and what to do. */
UM_API um_status um_fail(um_status code, const char *fmt, ...) UM_PRINTF(2, 3);

/* Puts "context: " in front of the recorded message and returns code unchanged.
 * For callers that know something the callee did not (a file, a stage). */
UM_API um_status um_context(um_status code, const char *fmt, ...) UM_PRINTF(2, 3);

/* The message of the last failure in this thread; valid until the next one. */
UM_API const char *um_message(void);

/* Leaves the enclosing function with its status if expr fails; the function
 * declares "um_status st" and a label "out" that releases what it holds. */
#define UM_TRY(expr) do { if ((st = (expr)) != UM_OK) goto out; } while (0)

typedef enum um_level { UM_ERROR, UM_WARN, UM_INFO, UM_DEBUG } um_level;

/* One line to stderr if the level is enabled: UMBRA_LOG=error|warn|info|debug,
 * by default warn. Plugins report this way and never print. */
#define um_log(level, ...) um_log_at(level, __func__, __VA_ARGS__)
UM_API void um_log_at(um_level level, const char *where, const char *fmt, ...) UM_PRINTF(3, 4);

/* Whom to tell every line, whatever level is enabled; NULL: nobody. */
typedef void um_log_fn(um_level level, const char *text);
UM_API void um_log_hook(um_log_fn *fn);

#ifdef __cplusplus
}
#endif
#endif
