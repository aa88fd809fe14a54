/* SPDX-License-Identifier: MIT */
/* readyctl's help texts: twelve lines for a start, a page per verb. */
#include "help.h"

#include <string.h>

#include "base/cleanup.h"
#include "parse.h"

static const char overview[] =
	"readyctl wait --timeout 5s door=3 bell=4    wait until one of two descriptors is ready\n"
	"readyctl watch --json in=0                  a line for every new readiness of standard "
	"input\n"
	"readyctl ls; readyctl explain session:12    what readyd has, and why it is as it is\n"
	"\n"
	"  wait, watch NAME=FD[:in,out,pri,hup]...   until one is ready; until all have ended;  "
	"demo\n"
	"  status; report; ls [--registrations, --agents]; explain session:N, uid:U or "
	"registration:N/COOKIE\n"
	"  kick session:N; freeze, thaw uid:U; log-level; config; reload; top; monitor; "
	"metrics; whoami\n"
	"\n"
	"Options: --json  --socket PATH  --user  --local  --timeout 5s  -q     readyctl VERB "
	"--help\n"
	"Exit: 0 ready, done  1 failed  2 usage  3 not running  4 silent  5 unknown  6 refused  7 "
	"quota\n"
	"      124 timed out     Socket: --socket, else $READYD_SOCKET, else "
	"/run/readyd/session.sock\n"
	"Manual: readyctl(1), readyd(8), readyd-control(7)\n";

#define COLOR_OPTION \
	"  --color[=WHEN]     auto (on a terminal, without NO_COLOR), always, never  (default: " \
	"auto)\n"

#define SHARED_OPTIONS \
	COLOR_OPTION \
	"  --json             a JSON object a line: name fd ready ended idle time    (default: " \
	"text)\n" \
	"  --local            watch in this process, without readyd                  (default: " \
	"off)\n" \
	"  --socket PATH      readyd's session socket   (default: $READYD_SOCKET, else\n" \
	"                     /run/readyd/session.sock)\n" \
	"  --user             the private instance of this user: " \
	"$XDG_RUNTIME_DIR/readyd/session.sock\n" \
	"  -q, --quiet        no notes on standard error, failures only              (default: " \
	"off)\n"

#define SHARED_EXITS \
	"1 failed   2 usage   3 readyd is not running   4 it is there and silent\n" \
	"            6 a descriptor or we are refused   7 a quota or limit\n"

static const char wait_page[] =
	"usage: readyctl wait [OPTIONS] NAME=FD[:in,out,pri,hup]...\n"
	"\n"
	"Waits until at least one descriptor is ready, then prints a line for each that is: its "
	"name\n"
	"and words of in out pri err hup rdhup. Waits for input (in) where no word is given.\n"
	"\n"
	"  --timeout DURATION give up after this time, exit 124                      (default: "
	"never)\n" SHARED_OPTIONS "\n"
	"Examples:\n"
	"  mkfifo a b; exec 3<>a 4<>b; readyctl wait --timeout 5s door=3 bell=4\n"
	"  while readyctl wait in=0; do read -r line || break; echo \"$line\"; done\n"
	"\n"
	"Exit codes: 0 at least one is ready   124 timed out\n"
	"            " SHARED_EXITS;

static const char watch_page[] =
	"usage: readyctl watch [OPTIONS] NAME=FD[:in,out,pri,hup]...\n"
	"\n"
	"Prints a line for every new readiness (edge-triggered: read until nothing is left, or the "
	"next\n"
	"line may not come). Ends when every descriptor has hung up, or nobody reads its output.\n"
	"\n"
	"  --ack              after a line its name is silent until it is read from standard "
	"input;\n"
	"                     what is still ready is then reported again            (default: "
	"off)\n"
	"  --level            a line again and again while it is ready, for readers that take a "
	"part;\n"
	"                     lines that were not read yet may be outdated          (default: "
	"off)\n"
	"  --idle DURATION    a line 'NAME idle' when it was silent for so long; the next after "
	"its\n"
	"                     next readiness                                        (default: "
	"never)\n" SHARED_OPTIONS "\n"
	"Examples:\n"
	"  readyctl watch --json conn=5 | jq -c .ready\n"
	"  readyctl watch --idle 5m conn=5\n"
	"  coproc readyctl watch --ack bell=4; read -r name words <&\"${COPROC[0]}\"\n"
	"  echo bell >&\"${COPROC[1]}\"       # after the shell has read: re-armed\n"
	"\n"
	"Exit codes: 0 all have ended\n"
	"            " SHARED_EXITS;

static const char demo_page[] =
	"usage: readyctl demo [--once] [OPTIONS]\n"
	"\n"
	"Shows readyd at work, and that it works for you: hands over a connection, a FIFO, a pty, "
	"a "
	"timer,\n"
	"an inotify, a process and a counter, and prints each event as it comes, with the time "
	"since its\n"
	"cause. What it starts ends with it.\n"
	"\n"
	"  --once             a second of it, then the sum; exit 1 if an event is missing\n"
	"                                               (default: until Ctrl-C)\n" COLOR_OPTION
	"  --json             a JSON object a line: name ready delay cause           (default: "
	"text)\n"
	"  --socket PATH      readyd's session socket   (default: $READYD_SOCKET, else\n"
	"                     /run/readyd/session.sock)\n"
	"  --user             the private instance of this user: "
	"$XDG_RUNTIME_DIR/readyd/session.sock\n"
	"  -q, --quiet        no notes on standard error, failures only              (default: "
	"off)\n"
	"\n"
	"Examples:\n"
	"  readyctl demo\n"
	"  readyctl demo --once --json | jq .delay\n"
	"\n"
	"Exit codes: 0 every event has come, or Ctrl-C\n"
	"            " SHARED_EXITS;

#define CONTROL_OPTIONS \
	COLOR_OPTION \
	"  --json[=FORM]      short: an object a line; pretty: indented; keys: " \
	"readyd-control(7)\n" \
	"                                                                            (default: " \
	"text)\n" \
	"  --timeout DURATION how long readyd may take to answer                     (default: " \
	"5s)\n" \
	"  --socket PATH      readyd's control socket   (default: beside $READYD_SOCKET, else\n" \
	"                     /run/readyd/control.sock)\n" \
	"  --user             the private instance of this user: " \
	"$XDG_RUNTIME_DIR/readyd/control.sock\n"

#define QUIET_OPTION \
	"  -q, --quiet        no words when it is done, failures only                (default: " \
	"off)\n"

#define CONTROL_EXITS \
	"Exit codes: 0 done   1 failed   2 usage   3 readyd is not running   4 it is silent\n" \
	"            5 no such thing, or not yours   6 refused   7 a quota or limit\n"

static const char status_page[] =
	"usage: readyctl status [OPTIONS]\n"
	"\n"
	"Prints what readyd is and does, on one screen; lines with '!' need a look. Others than\n"
	"administrators (root, members of admin.group) see their own sums.\n"
	"\n" CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl status\n"
	"  readyctl status --json | jq .sessions\n"
	"\n" CONTROL_EXITS;

static const char ls_page[] =
	"usage: readyctl ls [--sessions | --registrations | --agents] [OPTIONS]\n"
	"\n"
	"Lists what there is: of everybody for administrators, else what is yours.\n"
	"\n"
	"  --sessions         connections of clients                              (default)\n"
	"  --registrations    descriptors that are watched\n"
	"  --agents           processes, one for each user that is served\n"
	"  --session N        registrations of this session only                     (default: "
	"all)\n"
	"  --uid USER         of this user only, a name or number                    (default: "
	"all)\n"
	"  -o, --columns LIST the columns and their order, as in session,pid         (default: "
	"all)\n"
	"  --no-header        without the line of titles                             (default: "
	"off)\n"
	"  -q, --quiet        no notes on standard error                             (default: "
	"off)\n" CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl ls -o session,user,events\n"
	"  readyctl ls --registrations --json | jq -r 'select(.state==\"ready\") | .cookie'\n"
	"\n" CONTROL_EXITS;

static const char explain_page[] =
	"usage: readyctl explain [OPTIONS] session:N | uid:USER | registration:N/COOKIE\n"
	"       readyctl explain --can [OPTIONS] USER connect | inspect | admin [OWNER:*]\n"
	"\n"
	"Says in which state it is, why, what comes next, and where in the kernel its processes "
	"wait;\n"
	"root sees their stacks, and the way out of a file system that does not answer.\n"
	"registration:N/id:ID names it by its id.\n"
	"\n"
	"  --can              does the policy let a user do that with what is OWNER's, and which "
	"rule "
	"says\n"
	"                     so? OWNER is a user, self, or * for everybody          (default: "
	"self:*)\n" CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl explain session:12\n"
	"  sudo readyctl explain uid:bob\n"
	"  readyctl explain --can $USER inspect bob:*\n"
	"\n" CONTROL_EXITS;

static const char kick_page[] =
	"usage: readyctl kick [OPTIONS] session:N\n"
	"\n"
	"Ends a session; its client hears KICKED and may connect again. To keep it out: freeze.\n"
	"\n" QUIET_OPTION CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl kick session:12\n"
	"  readyctl ls --json --uid bob | jq .session | xargs -n1 readyctl kick\n"
	"\n" CONTROL_EXITS;

static const char freeze_page[] =
	"usage: readyctl freeze [OPTIONS] uid:USER\n"
	"\n"
	"A user's sessions are neither read nor written any more, and new ones are refused. "
	"Nothing is\n"
	"lost: what gets ready meanwhile is told after thaw. Administrators only.\n"
	"\n" QUIET_OPTION CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl freeze uid:bob\n"
	"  readyctl freeze uid:1000 -q\n"
	"\n" CONTROL_EXITS;

static const char thaw_page[] =
	"usage: readyctl thaw [OPTIONS] uid:USER\n"
	"\n"
	"Undoes freeze. Administrators only.\n"
	"\n" QUIET_OPTION CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl thaw uid:bob\n"
	"  readyctl status --json | jq .frozen[] | xargs -n1 readyctl thaw\n"
	"\n" CONTROL_EXITS;

static const char log_level_page[] =
	"usage: readyctl log-level [OPTIONS] [error | warning | notice | info | debug]\n"
	"\n"
	"Prints what is logged, or changes it until readyd ends. To change: administrators only.\n"
	"\n" QUIET_OPTION CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl log-level\n"
	"  readyctl log-level debug\n"
	"\n" CONTROL_EXITS;

static const char config_page[] =
	"usage: readyctl config [OPTIONS] show | check | diff\n"
	"\n"
	"show: every key, its value in force, and where that is from. check: are the files good, "
	"and "
	"what\n"
	"would a reload do? diff: which keys it would change. Administrators only.\n"
	"\n" CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl config show | grep -v default\n"
	"  readyctl config check && readyctl config diff\n"
	"\n" CONTROL_EXITS;

static const char reload_page[] =
	"usage: readyctl reload [OPTIONS]\n"
	"\n"
	"Has readyd read its configuration again, and returns when it has. All of it counts, or "
	"with "
	"a\n"
	"mistake nothing (exit 1). Names what has changed, and what waits for a restart. "
	"Administrators\n"
	"only.\n"
	"\n" QUIET_OPTION CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl reload\n"
	"  sudo systemctl reload readyd\n"
	"\n" CONTROL_EXITS;

static const char metrics_page[] =
	"usage: readyctl metrics [--format FORMAT] [OPTIONS]\n"
	"\n"
	"Prints what readyd counts as OpenMetrics text: for everybody's eyes that may see all, "
	"else "
	"what\n"
	"is of your own. metrics.per_uid users have series of their own; readyctl(1) lists the "
	"metrics.\n"
	"\n"
	"  --format FORMAT    openmetrics, or prometheus: for node_exporter's textfiles\n"
	"                                                                     (default: "
	"openmetrics)\n" CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl metrics | grep ^readyd_events_total\n"
	"  readyctl metrics --format prometheus | promtool check metrics\n"
	"\n" CONTROL_EXITS;

static const char top_page[] =
	"usage: readyctl top [--once] [OPTIONS]\n"
	"\n"
	"Shows the users that are served, the busiest first, every second. On a terminal: s sorts "
	"by\n"
	"something else, q ends it. Piped: one table after the other.\n"
	"\n"
	"  --once             one look of a second, and no more                      (default: "
	"off)\n" CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl top\n"
	"  readyctl top --once --json | jq .events_per_s\n"
	"\n" CONTROL_EXITS;

static const char monitor_page[] =
	"usage: readyctl monitor [--since DURATION] [OPTIONS]\n"
	"\n"
	"Prints what happens from now on, a line for each: sessions opened, ended and refused,\n"
	"agents started, lost and wedged, kicks, freezes, reloads. Of everybody for "
	"administrators,\n"
	"else what is yours.\n"
	"\n"
	"  --since DURATION   what happened in this time first, at most 100 events   (default: "
	"none)\n" QUIET_OPTION CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl monitor --since 10m\n"
	"  readyctl monitor --json | jq -c 'select(.event==\"refused\")'\n"
	"\n" CONTROL_EXITS;

static const char whoami_page[] =
	"usage: readyctl whoami [OPTIONS]\n"
	"\n"
	"Prints how readyd sees you: uid (in a container: as the host maps it), what you may, your "
	"quotas\n"
	"and how much of them is used.\n"
	"\n" CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl whoami\n"
	"  readyctl whoami --json | jq '.quotas[] | select(.name==\"sessions\")'\n"
	"\n" CONTROL_EXITS;

static const char report_page[] =
	"usage: readyctl report [OPTIONS]\n"
	"\n"
	"Prints what belongs into a report of a mistake: versions, status, what is configured, "
	"lists,\n"
	"metrics, without names of users, programs and files. Without readyd there is less in it.\n"
	"Administrators' reports have all users.\n"
	"\n" CONTROL_OPTIONS "\n"
	"Examples:\n"
	"  readyctl report >report.txt\n"
	"  readyctl report --json | jq .status\n"
	"\n" CONTROL_EXITS;

static const char version_page[] =
	"usage: readyctl version [OPTIONS]\n"
	"\n"
	"Prints the version; 'readyctl --version' is the same.\n"
	"\n" COLOR_OPTION "  --json             {\"version\":\"...\"}                     "
	"                (default: text)\n"
	"\n"
	"Examples:\n"
	"  readyctl version\n"
	"  readyctl version --json | jq -r .version\n"
	"\n"
	"Exit codes: 0\n";

static const char help_page[] =
	"usage: readyctl help [VERB]\n"
	"\n"
	"Prints the overview, or a verb's usage, options with defaults, examples and exit codes.\n"
	"\n" COLOR_OPTION "\n"
	"Examples:\n"
	"  readyctl help\n"
	"  readyctl help wait\n"
	"\n"
	"Exit codes: 0   2 there is no such verb\n";

int ctl_help(FILE *f, const char *verb, struct ctl_problem *p)
{
	static const char *const names[] = {"wait", "watch", "demo", "status", "ls", "explain",
		"kick", "freeze", "thaw", "log-level", "config", "reload", "metrics", "top",
		"monitor", "whoami", "report", "version", "help"};
	static const char *const pages[] = {wait_page, watch_page, demo_page, status_page, ls_page,
		explain_page, kick_page, freeze_page, thaw_page, log_level_page, config_page,
		reload_page, metrics_page, top_page, monitor_page, whoami_page, report_page,
		version_page, help_page};
	const char *near;

	if (!verb) {
		fputs(overview, f);
		return 0;
	}
	for (size_t i = 0; i < RDY__ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], verb) == 0) {
			fputs(pages[i], f);
			return 0;
		}
	}
	near = ctl_suggest(verb, names, RDY__ARRAY_SIZE(names));
	ctl_problem_set(p, CTL_USAGE, "USAGE", "there is no verb '%.60s'", verb);
	if (near)
		ctl_problem_why(p, "did you mean '%s'?", near);
	else
		ctl_problem_why(p, "it is none of those this version knows");
	ctl_problem_hint(p, "readyctl help");
	return p->exit;
}
