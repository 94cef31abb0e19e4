/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shared page: an unlinked file, mapped by both sides. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "pipeline/page.h"

static um_page *map(int fd)
{
	void *p = mmap(NULL, sizeof(um_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

um_status um_page_new(const char *folder, um_page **page, int *fd)
{
	char *name = um_format("%s/.page.XXXXXX", folder);
	*page = NULL;
	*fd = mkstemp(name);
	if (*fd >= 0) {
		unlink(name);
		fcntl(*fd, F_SETFD, FD_CLOEXEC);
	}
	free(name);
	const int full = *fd >= 0 ? posix_fallocate(*fd, 0, sizeof(um_page)) : 0; /* on a full disk a hole could be mapped, not used */
	if (full != 0)
		errno = full;
	else if (*fd >= 0)
		*page = map(*fd);
	if (*page == NULL)
		return um_fail(UM_EIO, "%s: cannot make a shared page: %s", folder, strerror(errno));
	return UM_OK;
}

um_page *um_page_inherit(void)
{
	static um_page own; /* of this process alone, where nobody watches */
	struct stat s;
	um_page *p = NULL;
	if (fstat(UM_PAGE_FD, &s) == 0 && S_ISREG(s.st_mode) && s.st_size == (off_t)sizeof(um_page) &&
		s.st_nlink == 0)
		p = map(UM_PAGE_FD);
	return p != NULL ? p : &own;
}

void um_page_free(um_page *page, int fd)
{
	if (page != NULL)
		munmap(page, sizeof(*page));
	if (fd >= 0)
		close(fd);
}
