// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who asks, and the calls that there are.
 *
 * Invariants: root asks about everybody, a supervisor about its workers, other users
 * about themselves.  A connection has one call at a time; the number of connections is
 * bounded, for each user and in all, and root and supervisors find some.
 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/array_size.h"
#include "common/backoff.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "policy/policyd/looker.h"
#include "policy/policyd/policyd.h"

#define SERVICE		"org.varlink.service"

static const char interface_policy[] =
#include "policy_interface.h"		/* made from io.kvmsplit.Policy.varlink */
;

static const char interface_service[] =
"interface org.varlink.service\n"
"method GetInfo() -> (vendor: string, product: string, version: string, url: string,"
" interfaces: []string)\n"
"method GetInterfaceDescription(interface: string) -> (description: string)\n"
"error InterfaceNotFound (interface: string)\n"
"error MethodNotFound (method: string)\n"
"error InvalidParameter (parameter: string)\n"
"error PermissionDenied ()\n";

/* -------------------------------------------------------- connections ---- */

/**
 * asker_end() - close a connection
 * @a:		the connection
 */
void asker_end(struct asker *a)
{
	wire_close(&a->tenant);
	wire_close(&a->wire);
	json_decref(a->call);
	json_decref(a->trace);
	a->call = a->trace = NULL;
}

/* Root, or a user of the range that the tenants' processes have, as which nobody logs in. */
static int is_service(uid_t uid)
{
	return !uid || uid >= p.config.n[CONFIG_UID_BASE];
}

/* A place for a user's connection, NULL: there is none. */
static struct asker *find_place(uid_t uid)
{
	struct asker *a, *place = NULL;
	int unused = 0, of_user = 0;

	for_each_asker(a) {
		if (a->wire.fd < 0) {
			place = a;
			unused++;
		} else {
			of_user += a->uid == uid;
		}
	}
	if (uid && !p.own && of_user >= MAX_PER_USER)
		return NULL;
	if (!is_service(uid) && !p.own && unused <= KEPT_PLACES)
		return NULL;
	return place;
}

/**
 * asker_accept() - somebody connects
 */
void asker_accept(void)
{
	int fd = accept4(p.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct asker *a;

	if (fd < 0)
		return;
	a = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ? NULL : find_place(peer.uid);
	if (!a) {
		close(fd);
		return;
	}
	wire_open(&a->wire, fd);
	a->uid = peer.uid;
	a->until = now_ms() + PATIENCE_MS;
}

/* The answer to the call; @reply is taken over. */
static void reply(struct asker *a, json_t *reply)
{
	int r = a->oneway ? 0 : wire_send(&a->wire, reply);

	json_decref(reply);
	json_decref(a->call);
	json_decref(a->trace);
	a->call = a->trace = NULL;
	a->until = now_ms() + PATIENCE_MS;
	if (r)
		asker_end(a);
}

static void refuse_call(struct asker *a, const char *error, const char *key, const char *value)
{
	reply(a, wire_error(error, key ? json_pack("{s:s}", key, value) : NULL));
}

/* ---------------------------------------------------------- decisions ---- */

/* Of what, for the log. */
static void name_object(const struct asker *a, char *ret, size_t size)
{
	char domain[48];

	policy_clean(domain, sizeof(domain), a->q.domain ? a->q.domain : "");
	if (a->worker)
		snprintf(ret, size, " of worker %lld", (long long)a->q.worker);
	else
		snprintf(ret, size, "%s%s", *domain ? " of " : "", domain);
}

/* Root's questions and supervisors' are those that something depends on. */
static void log_decision(const struct asker *a, const struct decision *d)
{
	char tenant[64], what[64], rule[POLICY_REASON] = "";

	if ((a->uid && !a->worker) || a->trace)
		return;
	policy_clean(tenant, sizeof(tenant), a->q.tenant);
	name_object(a, what, sizeof(what));
	if (d->opinion.file)
		snprintf(rule, sizeof(rule), " (%s:%lu)", d->opinion.file, d->opinion.line);
	logm(d->allowed ? L_INFO : L_NOTICE, "%s: %s%s: %s by %s%s%s%s", tenant,
	     policy_op_name(a->q.op), what,
	     d->allowed ? "allowed" : "denied", policy_owner_name(d->whose),
	     *d->opinion.reason ? ": " : "", d->opinion.reason, rule);
}

static void answer_with(struct asker *a, json_t *parameters)
{
	if (a->trace)
		json_object_set(parameters, "trace", a->trace);
	reply(a, wire_reply(parameters));
}

/**
 * asker_answer() - everybody has been heard: decide, and say so
 * @a:		who asked
 * @tenant:	what the tenant says, NULL: it is not asked
 */
void asker_answer(struct asker *a, const struct opinion *tenant)
{
	const struct arbitration how = rules_arbitration(&p.rules, a->q.op);
	const struct opinion nothing = { 0 };
	char line[POLICY_REASON + 64];
	struct decision d;

	arbiter_decide(&how, &a->provider, tenant ? tenant : &nothing, &d);
	arbiter_limits(&a->q, &d);
	if (a->trace && tenant) {
		snprintf(line, sizeof(line), "tenant: %s%s%s", policy_verdict_name(tenant->verdict),
			 *tenant->reason ? ": " : "", tenant->reason);
		json_array_append_new(a->trace, json_string(line));
	}
	log_decision(a, &d);
	answer_with(a, message_decision(&d));
}

/* The users of this machine may ask about themselves. */
static int may_ask(const struct asker *a)
{
	const struct passwd *pw;
	char number[24];

	if (!a->uid || (p.own && a->uid == geteuid()))
		return 1;
	pw = p.own ? NULL : getpwuid(a->uid);
	snprintf(number, sizeof(number), "%u", a->uid);
	return !p.own && !strcmp(a->q.tenant, pw ? pw->pw_name : number);
}

/* What the kernel says of a worker's client, in place of what the asker says. */
static void put_facts(json_t *vm, const struct looked *l)
{
	const struct passwd *pw = getpwuid(l->tenant);
	json_t *client = json_object();
	char number[24];

	snprintf(number, sizeof(number), "%lld", l->tenant);
	json_object_set_new(vm, "tenant", json_string(pw ? pw->pw_name : number));
	/* A name that is no UTF-8 is not known. */
	if (*l->exe)
		json_object_set_new(client, "exe", json_string(l->exe));
	if (*l->unit)
		json_object_set_new(client, "unit", json_string(l->unit));
	json_object_set_new(vm, "client", client);
}

/* A supervisor's workers have the users that follow its own. */
static int is_worker_of(uid_t asker, long long user)
{
	return !asker || (user >= asker && user < (long long)asker + TENANT_UIDS);
}

/* Return: NULL, or which parameter is wrong. */
static const char *look_at_worker(struct asker *a, json_t *parameters)
{
	static struct looked l;

	if (a->q.worker > INT32_MAX || looker_ask(a->q.worker, &l) || !is_worker_of(a->uid, l.user))
		return "vm.worker";
	a->worker = 1;
	put_facts(json_object_get(parameters, "vm"), &l);
	return message_to_request(parameters, &a->q);
}

static const char *take_request(struct asker *a, json_t *parameters)
{
	const char *wrong = message_to_request(parameters, &a->q);

	a->worker = 0;
	if (wrong || p.own || a->q.worker == POLICY_UNKNOWN)
		return wrong;
	return look_at_worker(a, parameters);
}

static void decide(struct asker *a, json_t *parameters, int explain)
{
	const char *wrong = take_request(a, parameters);
	struct arbitration how;

	if (wrong) {
		refuse_call(a, SERVICE ".InvalidParameter", "parameter", wrong);
		return;
	}
	if (!a->worker && !may_ask(a)) {
		refuse_call(a, SERVICE ".PermissionDenied", NULL, NULL);
		return;
	}
	a->trace = explain ? json_array() : NULL;
	judge_opinion(&a->q, a->trace, &a->provider);
	if (p.own) {
		answer_with(a, message_opinion(&a->provider));
		return;
	}
	how = rules_arbitration(&p.rules, a->q.op);
	if (arbiter_asks_tenant(&how, &a->provider))
		tenant_ask(a);
	else
		asker_answer(a, NULL);
}

/* -------------------------------------------------------------- calls ---- */

static void on_decide(struct asker *a, json_t *parameters)
{
	decide(a, parameters, 0);
}

static void on_explain(struct asker *a, json_t *parameters)
{
	decide(a, parameters, 1);
}

static void on_info(struct asker *a, json_t *parameters)
{
	reply(a, wire_reply(json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "kvm-split",
				      "product", p.own ? "kvm-policyd" : "kvm-split-policyd",
				      "version", KVM_SPLIT_VERSION, "url", "",
				      "interfaces", SERVICE, POLICY_INTERFACE)));
}

static void on_description(struct asker *a, json_t *parameters)
{
	const char *name = json_string_value(json_object_get(parameters, "interface"));
	const char *text = NULL;

	if (name && !strcmp(name, POLICY_INTERFACE))
		text = interface_policy;
	else if (name && !strcmp(name, SERVICE))
		text = interface_service;
	if (text)
		reply(a, wire_reply(json_pack("{s:s}", "description", text)));
	else if (name)
		refuse_call(a, SERVICE ".InterfaceNotFound", "interface", name);
	else
		refuse_call(a, SERVICE ".InvalidParameter", "parameter", "interface");
}

static const struct {
	const char *method;
	void (*run)(struct asker *a, json_t *parameters);
} methods[] = {
	{ POLICY_INTERFACE ".Decide", on_decide },
	{ POLICY_INTERFACE ".Explain", on_explain },
	{ SERVICE ".GetInfo", on_info },
	{ SERVICE ".GetInterfaceDescription", on_description },
};

/* @message is the asker's from here on. */
static void on_message(struct asker *a, json_t *message)
{
	struct wire_call call;
	size_t i;

	a->call = message;
	if (wire_call(message, &call)) {
		asker_end(a);
		return;
	}
	a->oneway = call.oneway;
	for (i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].method, call.method)) {
			methods[i].run(a, call.parameters);
			return;
		}
	refuse_call(a, SERVICE ".MethodNotFound", "method", call.method);
}

/**
 * asker_ready() - the other end has sent something, or takes more
 * @a:		the connection, which waits for no answer of a tenant's
 */
void asker_ready(struct asker *a)
{
	json_t *message;
	int r = wire_flush(&a->wire);

	if (!r && !a->wire.todo)
		r = wire_read(&a->wire, &message);
	if (r == 1)
		on_message(a, message);
	else if (r < 0)
		asker_end(a);
}
