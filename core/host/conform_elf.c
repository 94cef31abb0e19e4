/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The shared object as a file: its name, and whether it has variables that outlive a call.
 * Two instances may run at once, so a plugin has no writable static data: no object symbol
 * in .data, .bss or their thread-local kin other than those of the C runtime; in a stripped
 * file, no section larger than the runtime's own. Sanitizers and coverage add their own
 * counters, which are told apart from nothing: such builds are not checked. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/conform.h"

/* The path of the mapped file that holds an address, from the kernel's list; "" if none. */
static void file_of(const void *address, char *path, size_t room)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4608];
	*path = '\0';
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long long lo, hi;
		const char *name = strchr(line, '/');
		if (sscanf(line, "%llx-%llx", &lo, &hi) != 2 || name == NULL)
			continue;
		if ((uintptr_t)address >= lo && (uintptr_t)address < hi)
			snprintf(path, room, "%.*s", (int)strcspn(name, "\n"), name);
	}
	if (maps != NULL)
		fclose(maps);
}

um_status conform_file_name(struct fixture *f)
{
	char path[4352];
	const um_plugin *p = f->b->plugin;
	file_of(p->ops, path, sizeof(path));
	char *want = um_format("/%s.so", p->name);
	const size_t len = strlen(path), n = strlen(want);
	um_status st = UM_OK;
	if (len == 0)
		f->absent = "the system does not say which file it is";
	else if (len < n || strcmp(path + len - n, want) != 0)
		st = um_fail(UM_EPLUGIN, "the plugin '%s' is in the file %s; name and file must be equal", p->name,
			path);
	free(want);
	return st;
}

struct elf {
	char *bytes;
	size_t size;
	const Elf64_Ehdr *head;
	const Elf64_Shdr *section;
};

static char *whole_file(const char *path, size_t *size)
{
	FILE *in = fopen(path, "rb");
	char *bytes = NULL;
	size_t room = 1 << 16, got;
	*size = 0;
	if (in == NULL)
		return NULL;
	do {
		room *= 2;
		bytes = um_grow(bytes, room);
		got = fread(bytes + *size, 1, room - *size, in);
		*size += got;
	} while (got > 0 && *size == room);
	fclose(in);
	return bytes;
}

static bool inside(const struct elf *e, uint64_t at, uint64_t bytes)
{
	return at <= e->size && bytes <= e->size - at;
}

/* A native 64-bit ELF with sections that lie within it. */
static bool parse(const char *path, struct elf *e)
{
	e->bytes = whole_file(path, &e->size);
	if (e->bytes == NULL || e->size < sizeof(*e->head))
		return false;
	e->head = (const void *)e->bytes;
	if (memcmp(e->bytes, ELFMAG, SELFMAG) != 0 || e->bytes[EI_CLASS] != ELFCLASS64 ||
		e->head->e_shentsize != sizeof(Elf64_Shdr) || e->head->e_shoff % 8 != 0 ||
		!inside(e, e->head->e_shoff, (uint64_t)e->head->e_shnum * sizeof(Elf64_Shdr)))
		return false;
	e->section = (const void *)(e->bytes + e->head->e_shoff);
	for (int i = 0; i < e->head->e_shnum; i++)
		if (e->section[i].sh_type != SHT_NOBITS && !inside(e, e->section[i].sh_offset, e->section[i].sh_size))
			return false;
	return e->head->e_shstrndx < e->head->e_shnum;
}

/* A text of a string section; "" where it is out of bounds. */
static const char *text(const struct elf *e, uint64_t section, uint64_t at)
{
	if (section >= e->head->e_shnum || at >= e->section[section].sh_size)
		return "";
	const char *s = e->bytes + e->section[section].sh_offset + at;
	return memchr(s, '\0', e->section[section].sh_size - at) != NULL ? s : "";
}

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* .data, .bss and thread-local sections; not what becomes read-only after loading. */
static bool is_variable_section(const struct elf *e, int i)
{
	const char *name = text(e, e->head->e_shstrndx, e->section[i].sh_name);
	if (!(e->section[i].sh_flags & SHF_WRITE) || starts(name, ".data.rel.ro"))
		return false;
	return starts(name, ".data") || starts(name, ".bss") || starts(name, ".tdata") || starts(name, ".tbss") ||
		starts(name, ".ldata") || starts(name, ".lbss");
}

static bool is_runtime(const char *name)
{
	return starts(name, "completed.") || strcmp(name, "__dso_handle") == 0 || starts(name, "DW.ref."); /* C++ */
}

static bool is_instrument(const char *name)
{
	static const char *const marks[] = { "__asan_", "__ubsan_", "__tsan_", "__msan_", "__gcov_", "__llvm_prof",
		"__sanitizer_", "__sancov" };
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (starts(name, marks[i]))
			return true;
	return false;
}

/* Looks through one table of symbols: *variable is the first offender. */
static void scan(const struct elf *e, const Elf64_Shdr *table, bool *instrumented, const Elf64_Sym **variable)
{
	const Elf64_Sym *sym = (const void *)(e->bytes + table->sh_offset);
	if (table->sh_offset % 8 != 0)
		return;
	for (size_t i = 0; i < table->sh_size / sizeof(*sym); i++) {
		const char *name = text(e, table->sh_link, sym[i].st_name);
		const int type = ELF64_ST_TYPE(sym[i].st_info), section = sym[i].st_shndx;
		*instrumented = *instrumented || is_instrument(name);
		if ((type == STT_OBJECT || type == STT_TLS) && sym[i].st_size > 0 && section < e->head->e_shnum &&
			is_variable_section(e, section) && !is_runtime(name) && *variable == NULL)
			*variable = &sym[i];
	}
}

static um_status check_stripped(const struct elf *e)
{
	enum { RUNTIME = 16 }; /* bytes that the C runtime has there itself, at most */
	for (int i = 0; i < e->head->e_shnum; i++)
		if (is_variable_section(e, i) && e->section[i].sh_size > RUNTIME)
			return um_fail(UM_EPLUGIN, "section %s has %llu bytes of variables; keep state in what create makes",
				text(e, e->head->e_shstrndx, e->section[i].sh_name), (unsigned long long)e->section[i].sh_size);
	return UM_OK;
}

static um_status check_symbols(struct fixture *f, const struct elf *e)
{
	const Elf64_Shdr *symtab = NULL;
	const Elf64_Sym *variable = NULL;
	bool instrumented = false;
	for (int i = 0; i < e->head->e_shnum; i++)
		if (e->section[i].sh_type == SHT_SYMTAB || e->section[i].sh_type == SHT_DYNSYM) {
			const Elf64_Sym *found = NULL;
			scan(e, &e->section[i], &instrumented, &found);
			if (e->section[i].sh_type == SHT_SYMTAB) {
				symtab = &e->section[i];
				variable = found;
			}
		}
	if (instrumented) {
		f->absent = "this is a sanitizer or coverage build";
		return UM_OK;
	}
	if (symtab == NULL)
		return check_stripped(e);
	if (variable == NULL)
		return UM_OK;
	return um_fail(UM_EPLUGIN, "the variable %s (%llu bytes) is static and writable; keep it in what create "
		"makes, or make it const", text(e, symtab->sh_link, variable->st_name),
		(unsigned long long)variable->st_size);
}

um_status conform_statics(struct fixture *f)
{
	char path[4352];
	struct elf e = { 0 };
	um_status st = UM_OK;
	file_of(f->b->plugin->ops, path, sizeof(path));
	if (*path == '\0' || !parse(path, &e))
		f->absent = "its file cannot be read as a 64-bit ELF";
	else
		st = check_symbols(f, &e);
	free(e.bytes);
	return st;
}
