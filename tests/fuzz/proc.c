// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctl/host.c, which kvm-splitctl and kvm-split-statfs share: a /proc with a worker and
 * with another process.  The kernel writes these files, but a worker's guest, a client
 * or a user chose the names in them.
 *
 * Properties: who holds no session is no worker, whatever it calls itself; a
 * worker's tenant and client are what the kernel says of its session, or unknown;
 * what comes out is JSON without a control character, and can be read again.
 */
#include <stdint.h>

#include "files.h"
#include "ctl/ctl.h"

int as_json;
const char *proc_dir = "proc";
const char *stats_file = "none";

/* Links of descriptors, once. */
static void make_links(void)
{
	static const char *const links[][2] = {
		{ "proc/7/fd/3", "anon_inode:kvm-split-session" },
		{ "proc/7/fd/4", "anon_inode:kvm-split-vm" },
		{ "proc/7/fd/5", "anon_inode:kvm-split-vcpu" },
		{ "proc/8/fd/3", "/tmp/anon_inode:kvm-split-session" },
	};

	for (unsigned int i = 0; i < sizeof(links) / sizeof(*links); i++) {
		make_folders(links[i][0]);
		HOLDS(!symlink(links[i][1], links[i][0]) || errno == EEXIST);
	}
}

static void check_string(const char *text)
{
	for (; *text; text++) {
		HOLDS((unsigned char)*text >= 0x20 && *text != 0x7f);
		HOLDS((unsigned char)*text != 0xc2 || (unsigned char)text[1] >= 0xa0);
	}
}

static void check_json(json_t *o)
{
	const char *key;
	json_t *v;
	size_t i;

	if (json_is_string(o))
		check_string(json_string_value(o));
	json_object_foreach(o, key, v) {
		check_string(key);
		check_json(v);
	}
	json_array_foreach(o, i, v)
		check_json(v);
}

/* What is printed is what is meant. */
static void check_dump(json_t *o)
{
	char *text = json_dumps(o, 0);
	json_t *again = text ? json_loads(text, 0, NULL) : NULL;

	HOLDS(text && again);
	EQ(json_array_size(json_object_get(o, "workers")),
	   json_array_size(json_object_get(again, "workers")));
	json_decref(again);
	free(text);
}

static void check_id(const json_t *id)
{
	HOLDS(json_is_null(id) || (json_integer_value(id) >= 0 && json_integer_value(id) < UINT32_MAX));
}

static void check_worker(const json_t *w)
{
	EQ(json_integer_value(json_object_get(w, "vm")), 7);
	EQ(json_integer_value(json_object_get(w, "vms")), 1);
	EQ(json_integer_value(json_object_get(w, "vcpus")), 1);
	check_id(json_object_get(w, "uid"));
	check_id(json_object_get(w, "client"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const files[] = {
		"proc/7/comm", "proc/7/fdinfo/3", "proc/7/stat", "proc/7/status", "proc/7/maps",
		"proc/7/cgroup", "proc/7/smaps_rollup", "proc/7/task/9/comm",
		"proc/7/task/9/stat", "proc/8/comm", "proc/8/status", "proc/8/stat", "proc/uptime",
	};
	struct input in = { data, size };
	json_t *host, *workers, *threads, *private;
	static bool made;

	if (!made)
		make_links();
	made = true;
	for (unsigned int i = 0; i < sizeof(files) / sizeof(*files); i++)
		put_string(&in, files[i]);
	host = host_scan();
	workers = json_object_get(host, "workers");
	HOLDS(json_array_size(workers) <= 1);
	if (json_array_size(workers))
		check_worker(json_array_get(workers, 0));
	EQ(json_array_size(json_object_get(host, "supervisors")), 0);
	threads = host_threads(7);
	private = host_private(7);
	check_json(host);
	check_json(threads);
	check_dump(host);
	check_dump(threads);
	json_decref(host);
	json_decref(threads);
	json_decref(private);
	return 0;
}
