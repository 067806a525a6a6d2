// SPDX-License-Identifier: GPL-2.0-only
/*
 * Varlink's wire and what goes over it: messages in pieces, several at once, too long, too deep, and bytes
 * that mean nothing.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "policy/wire/message.h"
#include "policy/wire/wire.h"

static struct wire w;
static int peer;

static void setup(void)
{
	int pair[2];

	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	wire_open(&w, pair[0]);
	peer = pair[1];
}

static void teardown(void)
{
	wire_close(&w);
	if (peer >= 0)
		close(peer);
}

static void put(const char *bytes, size_t len)
{
	ck_assert_int_eq(write(peer, bytes, len), len);
}

/* wire_read(), and what came. */
static int get(char *ret, size_t size)
{
	json_t *message = NULL;
	int r = wire_read(&w, &message);

	*ret = '\0';
	if (r == 1) {
		size_t n = json_dumpb(message, ret, size - 1, JSON_COMPACT | JSON_SORT_KEYS);

		ck_assert_uint_lt(n, size);
		ret[n] = '\0';
	}
	json_decref(message);
	return r;
}

START_TEST(in_pieces)
{
	static const char text[] = "{\"method\":\"a.B\"}";
	char got[64];
	size_t i;

	for (i = 0; i < sizeof(text); i++) {
		ck_assert_int_eq(get(got, sizeof(got)), 0);
		put(text + i, 1);
	}
	ck_assert_int_eq(get(got, sizeof(got)), 1);
	ck_assert_str_eq(got, text);
	ck_assert_int_eq(get(got, sizeof(got)), 0);
}
END_TEST

START_TEST(several_at_once)
{
	char got[64];

	put("{\"a\":1}\0{\"b\":2}\0{\"c\"", 20);
	ck_assert_int_eq(get(got, sizeof(got)), 1);
	ck_assert_str_eq(got, "{\"a\":1}");
	ck_assert_int_eq(get(got, sizeof(got)), 1);
	ck_assert_str_eq(got, "{\"b\":2}");
	ck_assert_int_eq(get(got, sizeof(got)), 0);
	put(":3}", 4);
	ck_assert_int_eq(get(got, sizeof(got)), 1);
	ck_assert_str_eq(got, "{\"c\":3}");
	close(peer);
	peer = -1;
	ck_assert_int_eq(get(got, sizeof(got)), -EPIPE);
}
END_TEST

/* As long as may be, and a byte more. */
START_TEST(length)
{
	static char text[WIRE_MAX + 1], got[WIRE_MAX + 1];
	int r = 0, i;

	memset(text, ' ', sizeof(text));
	text[0] = '{';
	text[WIRE_MAX - 2] = '}';
	text[WIRE_MAX - 1] = '\0';
	put(text, WIRE_MAX);
	for (i = 0; i < 100 && !r; i++)
		r = get(got, sizeof(got));
	ck_assert_int_eq(r, 1);
	text[WIRE_MAX - 1] = ' ';
	put(text, WIRE_MAX);
	for (i = 0, r = 0; i < 100 && !r; i++)
		r = get(got, sizeof(got));
	ck_assert_int_eq(r, -EMSGSIZE);
}
END_TEST

/* However much of it comes, it ends at WIRE_MAX bytes. */
START_TEST(braces)
{
	static char text[4096];
	json_t *message;
	size_t sent = 0;
	int r = 0;

	memset(text, '{', sizeof(text));
	while (!r) {
		ssize_t n = write(peer, text, sizeof(text));

		sent += n > 0 ? n : 0;
		ck_assert_uint_lt(sent, 1 << 22);
		r = wire_read(&w, &message);
	}
	ck_assert_int_eq(r, -EMSGSIZE);
}
END_TEST

static const struct {
	const char *text;
	int want;
} texts[] = {
	{ "{}", 0 },
	{ "{\"a\":[1,2,{\"b\":null}]}", 0 },
	{ "{\"a\":\"[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{{{{{{{{{{{{{{\"}", 0 },
	{ "{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", 0 },	/* 16 deep */
	{ "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", -EBADMSG },
	{ "", -EBADMSG },
	{ "[]", -EBADMSG },
	{ "1", -EBADMSG },
	{ "{", -EBADMSG },
	{ "{}}", -EBADMSG },
	{ "{} {}", -EBADMSG },
	{ "{\"a\":1,\"a\":2}", -EBADMSG },
	{ "{\"a\":1,}", -EBADMSG },
	{ "{a:1}", -EBADMSG },
	{ "{\"a\":\"\\u0000\"}", -EBADMSG },
	{ "{\"a\":\"\xff\"}", -EBADMSG },
	{ "{\"a\":\"\xed\xa0\x80\"}", -EBADMSG },
	{ "{\"a\":99999999999999999999}", -EBADMSG },
};

START_TEST(parse)
{
	json_t *message = NULL;

	ck_assert_int_eq(wire_parse(texts[_i].text, strlen(texts[_i].text), &message),
			 texts[_i].want);
	ck_assert_int_eq(!message, !!texts[_i].want);
	json_decref(message);
}
END_TEST

static const struct {
	const char *text, *method;
	int oneway, has_parameters;
} calls[] = {
	{ "{\"method\":\"a.B\"}", "a.B", 0, 0 },
	{ "{\"method\":\"a.B\",\"parameters\":{\"c\":1}}", "a.B", 0, 1 },
	{ "{\"method\":\"a.B\",\"parameters\":null,\"oneway\":true,\"more\":false}", "a.B", 1, 0 },
	{ "{\"method\":1}" },
	{ "{\"parameters\":{}}" },
	{ "{\"method\":\"a.B\",\"parameters\":[]}" },
	{ "{\"method\":\"a.B\",\"parameters\":\"{}\"}" },
	{ "{\"method\":\"a.B\",\"oneway\":1}" },
	{ "{\"method\":\"a.B\",\"more\":true}" },
	{ "{\"method\":\"a.B\",\"upgrade\":true}" },
	{ "{\"method\":\"a.B\",\"error\":\"a.C\"}" },
};

START_TEST(call)
{
	json_t *message = NULL;
	struct wire_call c;
	int r;

	ck_assert_int_eq(wire_parse(calls[_i].text, strlen(calls[_i].text), &message), 0);
	r = wire_call(message, &c);
	ck_assert_int_eq(r, calls[_i].method ? 0 : -EBADMSG);
	if (!r) {
		ck_assert_str_eq(c.method, calls[_i].method);
		ck_assert_int_eq(c.oneway, calls[_i].oneway);
		ck_assert_int_eq(!!c.parameters, calls[_i].has_parameters);
	}
	json_decref(message);
}
END_TEST

static const struct {
	const char *text, *error;
	int want, has_parameters;
} results[] = {
	{ "{}", NULL, 0, 0 },
	{ "{\"parameters\":{}}", NULL, 0, 1 },
	{ "{\"error\":\"a.B\",\"parameters\":{\"c\":1}}", "a.B", 0, 1 },
	{ "{\"parameters\":{},\"continues\":false}", NULL, 0, 1 },
	{ "{\"parameters\":{},\"continues\":true}", NULL, -EBADMSG, 0 },
	{ "{\"parameters\":1}", NULL, -EBADMSG, 0 },
	{ "{\"error\":{}}", NULL, -EBADMSG, 0 },
	{ "{\"method\":\"a.B\"}", NULL, -EBADMSG, 0 },
};

START_TEST(result)
{
	json_t *message = NULL, *parameters;
	const char *error;

	ck_assert_int_eq(wire_parse(results[_i].text, strlen(results[_i].text), &message), 0);
	ck_assert_int_eq(wire_result(message, &parameters, &error), results[_i].want);
	if (!results[_i].want) {
		ck_assert_int_eq(!!parameters, results[_i].has_parameters);
		ck_assert_int_eq(!!error, !!results[_i].error);
	}
	json_decref(message);
}
END_TEST

/* The other end takes nothing: what is to be sent has an end. */
START_TEST(send_to_nobody)
{
	json_t *message = wire_reply(json_pack("{s:s}", "text", "0123456789"));
	int r = 0, n = 0;
	size_t todo = 0;
	char c;

	while (!r && n++ < 1000000)
		r = wire_send(&w, message);
	ck_assert_int_eq(r, -ENOBUFS);
	ck_assert_uint_le(w.todo, WIRE_MAX);
	/* What was promised comes, whole. */
	while (read(peer, &c, 1) == 1) {
		todo += !c;
		ck_assert_int_eq(wire_flush(&w), 0);
	}
	ck_assert_int_eq(todo, n - 1);
	ck_assert_uint_eq(w.todo, 0);
	json_decref(message);
}
END_TEST

#define VM(members)	"{\"op\":\"save\",\"vm\":{" members "}}"

static const struct {
	const char *text, *wrong;
} requests[] = {
	{ VM("\"tenant\":\"a\""), NULL },
	{ VM("\"tenant\":\"a\",\"domain\":null,\"client\":null,\"memory\":null"), NULL },
	{ VM("\"tenant\":\"a\",\"client\":{\"exe\":\"/x\"},\"vcpus\":1"), NULL },
	{ VM(""), "vm.tenant" },
	{ VM("\"tenant\":\"\""), "vm.tenant" },
	{ VM("\"tenant\":1"), "vm.tenant" },
	{ VM("\"tenant\":\"a\",\"domain\":1"), "vm" },
	{ VM("\"tenant\":\"a\",\"client\":\"/x\""), "vm.client" },
	{ VM("\"tenant\":\"a\",\"client\":{\"exe\":[]}"), "vm" },
	{ VM("\"tenant\":\"a\",\"vcpus\":\"1\""), "vm" },
	{ VM("\"tenant\":\"a\",\"vcpus\":-1"), "vm" },
	{ VM("\"tenant\":\"a\",\"memory\":1.5"), "vm" },
	{ "{\"op\":\"fly\",\"vm\":{\"tenant\":\"a\"}}", "op" },
	{ "{\"op\":1,\"vm\":{\"tenant\":\"a\"}}", "op" },
	{ "{\"op\":\"save\",\"vm\":[]}", "vm.tenant" },
	{ "{}", "op" },
};

START_TEST(request)
{
	json_t *message = NULL;
	const char *wrong;
	struct request q;

	ck_assert_int_eq(wire_parse(requests[_i].text, strlen(requests[_i].text), &message), 0);
	wrong = message_to_request(message, &q);
	ck_assert_pstr_eq(wrong, requests[_i].wrong);
	json_decref(message);
}
END_TEST

/* A request and an opinion arrive as they were sent. */
START_TEST(there_and_back)
{
	const struct request q = {
		.op = OP_DUMP, .tenant = "alice", .domain = "web", .exe = "/usr/bin/qemu",
		.unit = NULL, .worker = 4711, .vms = 1, .vcpus = POLICY_UNKNOWN, .memory = 1ll << 40,
	};
	struct opinion o = { VERDICT_DENY, 3, POLICY_NO_LIMIT, "no \xc3\xa4", "f", 7 }, o2;
	json_t *m = message_request(&q);
	struct request q2;

	ck_assert_ptr_null(message_to_request(m, &q2));
	ck_assert_int_eq(q2.op, q.op);
	ck_assert_str_eq(q2.tenant, q.tenant);
	ck_assert_str_eq(q2.domain, q.domain);
	ck_assert_str_eq(q2.exe, q.exe);
	ck_assert_ptr_null(q2.unit);
	ck_assert_int_eq(q2.worker, q.worker);
	ck_assert_int_eq(q2.vms, q.vms);
	ck_assert_int_eq(q2.vcpus, q.vcpus);
	ck_assert_int_eq(q2.memory, q.memory);
	json_decref(m);
	m = message_opinion(&o);
	ck_assert_int_eq(message_to_opinion(m, &o2), 0);
	ck_assert_int_eq(o2.verdict, o.verdict);
	ck_assert_int_eq(o2.max_vcpus, 3);
	ck_assert_int_eq(o2.max_memory, POLICY_NO_LIMIT);
	ck_assert_str_eq(o2.reason, o.reason);
	ck_assert_ptr_null(o2.file);
	/* A tenant's service asks nobody. */
	json_object_set_new(m, "verdict", json_string("ask"));
	ck_assert_int_eq(message_to_opinion(m, &o2), -EBADMSG);
	json_object_set_new(m, "verdict", json_integer(1));
	ck_assert_int_eq(message_to_opinion(m, &o2), -EBADMSG);
	json_decref(m);
	ck_assert_int_eq(message_to_opinion(NULL, &o2), -EBADMSG);
}
END_TEST

/* Bytes at random, of an alphabet that gets somewhere. */
START_TEST(noise)
{
	static const char alphabet[] = "{}[]\":,\\ntu0\xc2\x80";
	char text[48];
	json_t *message;
	unsigned int n;
	size_t i;

	srandom(_i);
	for (n = 0; n < 5000; n++) {
		size_t len = random() % sizeof(text);

		for (i = 0; i < len; i++)
			text[i] = alphabet[random() % (sizeof(alphabet) - 1)];
		message = NULL;
		if (!wire_parse(text, len, &message)) {
			struct wire_call c;
			const char *error;
			json_t *p;

			wire_call(message, &c);
			wire_result(message, &p, &error);
		}
		json_decref(message);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy: wire");
	TCase *t = tcase_create("wire");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, in_pieces);
	tcase_add_test(t, several_at_once);
	tcase_add_test(t, length);
	tcase_add_test(t, braces);
	tcase_add_test(t, send_to_nobody);
	tcase_add_loop_test(t, parse, 0, ARRAY_SIZE(texts));
	tcase_add_loop_test(t, call, 0, ARRAY_SIZE(calls));
	tcase_add_loop_test(t, result, 0, ARRAY_SIZE(results));
	tcase_add_loop_test(t, request, 0, ARRAY_SIZE(requests));
	tcase_add_test(t, there_and_back);
	tcase_add_loop_test(t, noise, 0, 4);
	suite_add_tcase(s, t);
	return run_suite(s);
}
