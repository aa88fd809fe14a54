/* SPDX-License-Identifier: MIT */
/*
 * One YAML document into values: mappings within mappings, whose path of words is a key. No anchors, tags, lists
 * or second documents: a file that a person can read wrongly is refused. Text is the value, as on the command line;
 * YAML's own numbers and truths play no part. Threads: any. No I/O.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "reader.h"
#include "schema.h"

static void set_where(struct reader *r, size_t line, size_t column)
{
	SAY(r->e->where, "%.300s:%zu:%zu", r->path, line + 1, column + 1);
}

int reader_place(struct reader *r)
{
	set_where(r, r->event.start_mark.line, r->event.start_mark.column);
	return -EINVAL;
}

int reader_mistake(struct reader *r, const char *why_format, ...)
{
	va_list args;

	va_start(args, why_format);
	vsnprintf(r->e->why, sizeof(r->e->why), why_format, args);
	va_end(args);
	return reader_place(r);
}

/* What libyaml says is short and without a cure. */
static void say_syntax(struct reader *r, char at)
{
	const char *problem = r->parser.problem ? r->parser.problem : "it cannot be read";

	SAY(r->e->what, "this is not YAML");
	SAY(r->e->why, "%s%s%s", r->parser.context ? r->parser.context : "",
		r->parser.context ? ": " : "", problem);
	if (at == '\t') {
		SAY(r->e->why, "a tab cannot indent");
		SAY(r->e->fix, "spaces, as many for each key of a section");
	} else {
		SAY(r->e->fix, "for example limits: {sessions: 512}");
	}
}

static int syntax(struct reader *r)
{
	yaml_mark_t at = r->parser.problem_mark;
	size_t line = 0, column = 0;

	if (r->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	/* A reader's error has an offset and no mark. */
	if (r->parser.error == YAML_READER_ERROR) {
		for (size_t i = 0; i < r->n_bytes && i < r->parser.problem_offset; i++) {
			column = r->bytes[i] == '\n' ? 0 : column + 1;
			line += r->bytes[i] == '\n';
		}
		say_syntax(r, 0);
		SAY(r->e->what, "this is not text");
		SAY(r->e->fix, "UTF-8, without control characters");
	} else {
		line = at.line;
		column = at.column;
		say_syntax(r, at.index < r->n_bytes ? r->bytes[at.index] : 0);
	}
	set_where(r, line, column);
	return -EINVAL;
}

int reader_next(struct reader *r)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	yaml_event_delete(&r->event);
	if (!yaml_parser_parse(&r->parser, &r->event))
		return syntax(r);
	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		anchor = r->event.data.scalar.anchor;
		tag = r->event.data.scalar.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = r->event.data.mapping_start.anchor;
		tag = r->event.data.mapping_start.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = r->event.data.sequence_start.anchor;
		tag = r->event.data.sequence_start.tag;
		break;
	default:
		break;
	}
	if (anchor || r->event.type == YAML_ALIAS_EVENT) {
		SAY(r->e->what, "anchors and aliases are not allowed");
		SAY(r->e->fix, "write the value where it is meant");
		return reader_mistake(r, "a value stands in one place only");
	}
	if (tag) {
		SAY(r->e->what, "tags are not allowed");
		SAY(r->e->fix, "the value alone");
		return reader_mistake(r, "each key knows the type of its value");
	}
	return 0;
}

static const char *text(const struct reader *r)
{
	return (const char *)r->event.data.scalar.value;
}

static size_t n_text(const struct reader *r)
{
	return r->event.data.scalar.length;
}

bool reader_is_nothing(const struct reader *r)
{
	return r->event.type == YAML_SCALAR_EVENT &&
	       r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (n_text(r) == 0 || strcmp(text(r), "~") == 0 || strcmp(text(r), "null") == 0);
}

const char *reader_word(const struct reader *r)
{
	return r->event.type == YAML_SCALAR_EVENT && !memchr(text(r), 0, n_text(r)) ? text(r)
										    : NULL;
}

static size_t n_dots(const char *s, size_t n)
{
	size_t dots = 0;

	for (size_t i = 0; i < n; i++)
		dots += s[i] == '.';
	return dots;
}

/* The first so many words of a key, with their dots; 0 if it has fewer. */
static size_t n_words(const char *key, size_t dots)
{
	const char *p = key;

	for (;; p++) {
		p += strcspn(p, ".");
		if (dots-- == 0)
			return (size_t)(p - key);
		if (!*p)
			return 0;
	}
}

/* The key or section at the same depth that is most like where we are; its length, or 0. */
static size_t nearest(const struct reader *r, const char **ret)
{
	size_t dots = n_dots(r->key, r->n_key), best = r->n_key / 3 + 2, n_best = 0;

	for (size_t i = 0; i < conf_schema_n; i++) {
		size_t n = n_words(conf_schema[i].key, dots), d;

		if (!n)
			continue;
		d = conf_distance(r->key, r->n_key, conf_schema[i].key, n);
		if (d < best) {
			best = d;
			n_best = n;
			*ret = conf_schema[i].key;
		}
	}
	return n_best;
}

static bool is_section(const struct reader *r)
{
	for (size_t i = 0; i < conf_schema_n; i++)
		if (strncmp(conf_schema[i].key, r->key, r->n_key) == 0 &&
			conf_schema[i].key[r->n_key] == '.')
			return true;
	return false;
}

static int unknown(struct reader *r)
{
	char buf[CONF_SHOWN_MAX + 1];
	const char *guess = NULL;
	size_t n = nearest(r, &guess);

	SAY(r->e->what, "unknown key '%s'", conf_shown(r->key, r->n_key, buf));
	if (n)
		SAY(r->e->fix, "did you mean '%.*s'? All keys: readyd --help-config", (int)n,
			guess);
	else
		SAY(r->e->fix, "readyd --help-config lists all keys");
	return reader_mistake(r, "there is no such key in this version");
}

static int twice(struct reader *r, uint32_t line)
{
	SAY(r->e->what, "'%s' is there twice", r->key);
	SAY(r->e->fix, "take one away");
	return reader_mistake(r, "it stands in line %u already", (unsigned int)line);
}

/* Go down by the word that was read. */
static int push(struct reader *r)
{
	size_t n = n_text(r), before = r->n_key;

	if (memchr(text(r), 0, n) || before + 1 + n >= sizeof(r->key) || n == 0) {
		char buf[CONF_SHOWN_MAX + 1];

		SAY(r->e->what, "unknown key '%s'", conf_shown(text(r), n, buf));
		SAY(r->e->fix, "readyd --help-config lists all keys");
		return reader_mistake(r, "no key is like that");
	}
	if (before)
		r->key[r->n_key++] = '.';
	memcpy(r->key + r->n_key, text(r), n + 1);
	r->n_key += n;
	/* limits.sessions: 5 at the top would be a second way to write the same. */
	if (memchr(text(r), '.', n)) {
		char key[CONF_SHOWN_MAX + 1], first[CONF_SHOWN_MAX + 1];

		SAY(r->e->what, "unknown key '%s'", conf_shown(r->key, r->n_key, key));
		SAY(r->e->fix, "%s:, and below it, indented, the rest",
			conf_shown(text(r), strcspn(text(r), "."), first));
		return reader_mistake(r, "a dot is not part of a key here: sections are indented");
	}
	return 0;
}

static const char *last_word(const char *key)
{
	const char *dot = strrchr(key, '.');

	return dot ? dot + 1 : key;
}

/* A list of words, each judged where it stands. */
static int words(struct reader *r, const struct conf_key *k)
{
	uint64_t one, all = 0;

	for (;;) {
		const char *word;
		int e = reader_next(r);

		if (e < 0)
			return e;
		if (r->event.type == YAML_SEQUENCE_END_EVENT && all)
			break;
		word = reader_word(r);
		/* In a list there are no brackets but those of a list in a list. */
		if (conf_parse_said(
			    k, word && word[0] != '[' ? word : "", CONF_STYLE_YAML, &one, r->e) < 0)
			return reader_place(r);
		all |= one;
	}
	memcpy((char *)r->conf + k->offset, &all, sizeof(all));
	return 0;
}

static int value(struct reader *r, size_t row)
{
	uint32_t line = (uint32_t)r->event.start_mark.line + 1;
	const struct conf_key *k = &conf_schema[row];
	int e;

	if (r->lines->rows[row])
		return twice(r, r->lines->rows[row]);
	e = reader_next(r);
	if (e < 0)
		return e;
	r->lines->rows[row] = line;
	if (k->type == CONF_POLICY && r->event.type == YAML_SEQUENCE_START_EVENT)
		return reader_policy(r, &r->conf->policy);
	if (k->type == CONF_RANGES && r->event.type == YAML_SEQUENCE_START_EVENT)
		return reader_ranges(r, &r->conf->ranges);
	if (k->type == CONF_SET && r->event.type == YAML_SEQUENCE_START_EVENT)
		return words(r, k);
	if (k->type == CONF_USERS && r->event.type == YAML_MAPPING_START_EVENT)
		return reader_users(r);
	if (k->type == CONF_USERS && reader_is_nothing(r))
		return 0;
	if (r->event.type != YAML_SCALAR_EVENT || reader_is_nothing(r) ||
		memchr(text(r), 0, n_text(r))) {
		SAY(r->e->what, "'%s' has no value", r->key);
		SAY(r->e->fix, "%s: %s", last_word(k->key), k->fallback);
		return reader_mistake(r, "%s stands here",
			r->event.type == YAML_MAPPING_START_EVENT    ? "a section"
			: r->event.type == YAML_SEQUENCE_START_EVENT ? "a list"
								     : "nothing");
	}
	e = conf_set_row(r->conf, row, text(r), CONF_STYLE_YAML, r->e);
	return e < 0 ? reader_place(r) : 0;
}

static int mapping(struct reader *r);

static int section(struct reader *r)
{
	uint32_t line = (uint32_t)r->event.start_mark.line + 1;
	size_t row = 0;
	int e;

	for (size_t i = 0; i < r->n_sections; i++)
		if (r->sections[i].n == r->n_key &&
			memcmp(r->sections[i].key, r->key, r->n_key) == 0)
			return twice(r, r->sections[i].line);
	while (strncmp(conf_schema[row].key, r->key, r->n_key) != 0)
		row++;
	r->sections[r->n_sections++] = (struct section){r->n_key, conf_schema[row].key, line};
	e = reader_next(r);
	if (e < 0)
		return e;
	if (r->event.type == YAML_MAPPING_START_EVENT)
		return mapping(r);
	if (reader_is_nothing(r))
		return 0;
	SAY(r->e->what, "'%s' is a section, not a key", r->key);
	SAY(r->e->fix, "%s:, and below it, indented, '%s' for example", r->key,
		conf_schema[row].key + r->n_key + 1);
	return reader_mistake(r, "%s stands where its keys should",
		r->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a value");
}

/* After its start. As deep as keys have words: what is deeper is unknown. */
static int mapping(struct reader *r)
{
	size_t above = r->n_key;

	for (;;) {
		size_t row;
		int e = reader_next(r);

		if (e < 0)
			return e;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		if (r->event.type != YAML_SCALAR_EVENT) {
			SAY(r->e->what, "a list or a section stands where a key should");
			SAY(r->e->fix, "readyd --help-config lists all keys");
			return reader_mistake(r, "keys are words");
		}
		e = push(r);
		if (e < 0)
			return e;
		row = conf_find(r->key, r->n_key);
		if (row != SIZE_MAX)
			e = value(r, row);
		else if (is_section(r))
			e = section(r);
		else
			e = unknown(r);
		if (e < 0)
			return e;
		r->n_key = above;
		r->key[above] = 0;
	}
}

static int document(struct reader *r)
{
	int e = reader_next(r);

	if (e == 0)
		e = reader_next(r); /* the stream began; now the document, or there is none */
	if (e < 0 || r->event.type == YAML_STREAM_END_EVENT)
		return e;
	e = reader_next(r);
	if (e < 0)
		return e;
	if (r->event.type == YAML_MAPPING_START_EVENT) {
		e = mapping(r);
	} else if (!reader_is_nothing(r)) {
		SAY(r->e->what, "there are no keys in it");
		SAY(r->e->fix, "for example limits: {sessions: 512}");
		e = reader_mistake(r, "it is %s",
			r->event.type == YAML_SEQUENCE_START_EVENT ? "a list" : "a value");
	}
	if (e == 0)
		e = reader_next(r); /* the document ended */
	if (e == 0)
		e = reader_next(r);
	if (e < 0 || r->event.type == YAML_STREAM_END_EVENT)
		return e;
	SAY(r->e->what, "there is a second document in it");
	SAY(r->e->fix, "a file of its own in conf.d");
	return reader_mistake(r, "a file has one, '---' begins another");
}

int conf_yaml(struct conf *c, const char *path, const char *bytes, size_t n,
	struct conf_lines *lines, struct conf_error *ret_error)
{
	struct reader r = {.conf = c,
		.path = path,
		.bytes = bytes,
		.n_bytes = n,
		.lines = lines,
		.e = ret_error};
	int e;

	*lines = (struct conf_lines){0};
	if (!yaml_parser_initialize(&r.parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, n);
	e = document(&r);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	return e;
}
