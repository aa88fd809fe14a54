/* SPDX-License-Identifier: MIT */
/* Calls about the configuration: what it is and where from, what a reload would change, and the reload. */
#include <string.h>

#include "base/clock.h"
#include "control.h"
#include "control_words.h"
#include "log.h"
#include "supervisor.h"

#define USERS "quota.users"
#define USERS_BYTES 32768u /* what rows of users may take of a reply */
#define ROW_BYTES 240u	   /* of one at most, without the path of its file */

static json_t *age_of(int64_t since_ns)
{
	return json_real((double)(rdy__now_ns() - since_ns) / (double)RDY__NS_PER_S);
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *files_of(const struct conf_loaded *l)
{
	json_t *files = json_array();

	for (size_t i = 0; i < l->n_files; i++)
		json_array_append_new(files, json_string(l->files[i]));
	return files;
}

/* A word for what a value is from, and the file and line if that is one. */
static json_t *origin_of(const struct conf_origin *o)
{
	if (o->file == CONF_FROM_DEFAULT || o->file == CONF_FROM_COMMAND)
		return json_pack("{s:s, s:n, s:n}", "origin",
			o->file == CONF_FROM_DEFAULT ? "default" : "command", "file", "line");
	return json_pack(
		"{s:s, s:s, s:I}", "origin", "file", "file", o->file, "line", (json_int_t)o->line);
}

/* A row more, while there is room for it in the message. */
static void append_row(json_t *rows, const struct conf_origin *from, json_t *take_row, size_t *room)
{
	size_t need = ROW_BYTES + strlen(from->file);
	json_t *row = origin_of(from);

	if (json_object_update_new(row, take_row) == 0 && need <= *room) {
		json_array_append(rows, row);
		*room -= need;
	}
	json_decref(row);
}

/* What a user has after, where it is not what he had before. */
static void user_change(json_t *all, const struct conf *was_in, const struct conf_loaded *l,
	const char *name, enum conf_quota q, size_t *room)
{
	static const struct conf_origin from_default = {CONF_FROM_DEFAULT, 0};
	char key[CONF_USER_KEY_BYTES], was[CONF_VALUE_BYTES], is[CONF_VALUE_BYTES];
	size_t before = conf_find_user(was_in, name, strlen(name)),
	       after = conf_find_user(&l->conf, name, strlen(name));
	bool had = before != SIZE_MAX && conf_user_text(was_in, before, q, key, was),
	     has = after != SIZE_MAX && conf_user_text(&l->conf, after, q, key, is);

	if ((!had && !has) || (had && has && strcmp(was, is) == 0))
		return;
	append_row(all, has ? &l->user_origins[after][q] : &from_default,
		json_pack("{s:s, s:s, s:s}", "key", key, "was",
			had ? was : conf_quota_fallback(was_in, q, was), "value",
			has ? is : conf_quota_fallback(&l->conf, q, is)),
		room);
}

static void user_changes(json_t *all, const struct conf *before, const struct conf_loaded *l)
{
	size_t room = USERS_BYTES;

	for (uint32_t i = 0; i < l->conf.users.n; i++)
		for (unsigned int q = 0; q < CONF_QUOTAS; q++)
			user_change(all, before, l, l->conf.users.users[i].name, q, &room);
	for (uint32_t i = 0; i < before->users.n; i++) {
		const char *name = before->users.users[i].name;

		if (conf_find_user(&l->conf, name, strlen(name)) != SIZE_MAX)
			continue;
		for (unsigned int q = 0; q < CONF_QUOTAS; q++)
			user_change(all, before, l, name, q, &room);
	}
}

/* The rows that are not the same in both, as Change; l: where the new value is from. */
static json_t *changes(
	const struct conf *before, const struct conf *after, const struct conf_loaded *l, bool live)
{
	char was[CONF_VALUE_BYTES], is[CONF_VALUE_BYTES];
	json_t *all = json_array();
	struct conf_row row;

	for (size_t i = 0; conf_row(i, &row); i++) {
		json_t *o;

		if (row.live != live || conf_same(before, after, i))
			continue;
		if (strcmp(row.key, USERS) == 0) {
			user_changes(all, before, l);
			continue;
		}
		o = origin_of(&l->origins[i]);
		json_object_update_new(
			o, json_pack("{s:s, s:s, s:s}", "key", row.key, "was",
				   conf_value(before, i, was), "value", conf_value(after, i, is)));
		json_array_append_new(all, o);
	}
	return all;
}

static void bad(struct supervisor *sv, struct control *c, const struct conf_error *e)
{
	control_error(c, CONTROL_E_BAD_CONFIGURATION,
		json_pack("{s:o, s:s, s:s, s:s, s:I, s:o}", "where", text_or_null(e->where), "what",
			e->what, "why", e->why, "fix", e->fix, "generation",
			(json_int_t)sv->reload.generation, "age", age_of(sv->reload.loaded_at_ns)));
}

/* after: what the files say; restart: what of it waits for one. */
static void tell(struct supervisor *sv, struct control *c, const struct conf *before,
	const struct conf_loaded *after)
{
	control_reply(c,
		json_pack("{s:I, s:o, s:o, s:o}", "generation", (json_int_t)sv->reload.generation,
			"files", files_of(after), "changed",
			changes(before, &after->conf, after, true), "restart",
			changes(before, &after->conf, after, false)),
		false);
}

static void reload(struct supervisor *sv, struct control *c)
{
	struct conf_error e;
	struct conf before;

	log_line(LOG_P_NOTICE, "reload by=%u", (unsigned int)c->uid);
	if (reload_run(sv, &before, &e) < 0)
		bad(sv, c, &e);
	else
		tell(sv, c, &before, &sv->options->loaded);
}

static void check(struct supervisor *sv, struct control *c)
{
	struct conf_loaded loaded;
	struct conf_error e;

	if (reload_check(sv, &loaded, &e) < 0)
		bad(sv, c, &e);
	else
		tell(sv, c, &sv->options->conf, &loaded);
	conf_loaded_deinit(&loaded);
}

/* The same keys as rows, behind that of all of them. Quotas are live, so nothing is pending. */
static void user_keys(const struct supervisor *sv, json_t *keys)
{
	char name[CONF_USER_KEY_BYTES], value[CONF_VALUE_BYTES], usual[CONF_VALUE_BYTES];
	const struct conf *c = &sv->options->conf;
	size_t room = USERS_BYTES;

	for (uint32_t i = 0; i < c->users.n; i++)
		for (unsigned int q = 0; q < CONF_QUOTAS; q++)
			if (conf_user_text(c, i, q, name, value))
				append_row(keys, &sv->options->loaded.user_origins[i][q],
					json_pack("{s:s, s:s, s:s, s:b, s:n}", "key", name, "value",
						value, "default", conf_quota_fallback(c, q, usual),
						"live", true, "pending"),
					&room);
}

static void get(struct supervisor *sv, struct control *c)
{
	const struct conf *in_force = &sv->options->conf, *loaded = &sv->options->loaded.conf;
	char value[CONF_VALUE_BYTES];
	json_t *keys = json_array();
	struct conf_row row;

	for (size_t i = 0; conf_row(i, &row); i++) {
		json_t *key = origin_of(&sv->options->loaded.origins[i]);

		json_object_set_new(key, "key", json_string(row.key));
		json_object_set_new(key, "value", json_string(conf_value(in_force, i, value)));
		json_object_set_new(key, "default", json_string(row.fallback));
		json_object_set_new(key, "live", json_boolean(row.live));
		json_object_set_new(key, "pending",
			conf_same(in_force, loaded, i) ? json_null()
						       : json_string(conf_value(loaded, i, value)));
		json_array_append_new(keys, key);
		if (strcmp(row.key, USERS) == 0)
			user_keys(sv, keys);
	}
	control_reply(c,
		json_pack("{s:o, s:o, s:o}", "configuration", control_words_configuration(sv, true),
			"files", files_of(&sv->options->loaded), "keys", keys),
		false);
}

json_t *control_words_configuration(const struct supervisor *sv, bool admin)
{
	const struct reload *r = &sv->reload;
	struct conf_row row;
	size_t n_pending = 0;

	for (size_t i = 0; conf_row(i, &row); i++)
		n_pending += !conf_same(&sv->options->conf, &sv->options->loaded.conf, i);
	return json_pack("{s:I, s:o, s:I, s:I, s:o, s:o}", "generation", (json_int_t)r->generation,
		"age", age_of(r->loaded_at_ns), "files", (json_int_t)sv->options->loaded.n_files,
		"pending", (json_int_t)n_pending, "refused",
		r->refused_at_ns ? age_of(r->refused_at_ns) : json_null(), "error",
		r->refused_at_ns && admin
			? json_sprintf("%s%s%s", r->refused.where, r->refused.where[0] ? ": " : "",
				  r->refused.what)
			: json_null());
}

void control_configuration(struct supervisor *sv, struct control *c)
{
	switch (c->call.method) {
	case CONTROL_RELOAD:
		reload(sv, c);
		break;
	case CONTROL_CHECK_CONFIGURATION:
		check(sv, c);
		break;
	default: /* CONTROL_GET_CONFIGURATION */
		get(sv, c);
		break;
	}
}
