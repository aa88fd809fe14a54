# SPDX-License-Identifier: MIT
"""What tests/bench/compare shows: Markdown tables, an SVG plot, and the rows in which libready is not the best."""
import math

TITLES = {"bare": "epoll by hand", "ready": "libready", "ready-next": "one by one", "ready-so": "libready.so",
          "event": "libevent", "ev": "libev", "uv": "libuv", "sd": "sd-event", "mio": "mio"}
COLOURS = {"bare": "#8a8f98", "ready": "#d1495b", "ready-next": "#e0808c", "ready-so": "#eeb0b8",
           "event": "#3d7fb8", "ev": "#3a9d78", "uv": "#c9a227", "sd": "#8b6bb8", "mio": "#b5653a"}
MEASURES = (("instructions", "User instructions"), ("system_calls", "System calls"), ("ns", "Nanoseconds"))
# Rows of the plot; the table has all.
PLOTTED = (("ready", 1, 1), ("ready", 1000, 1), ("ready", 1000, 16), ("ready", 1000, 100), ("ready", 1000, 1000),
           ("ready", 10000, 16), ("serve", 1000, 16), ("pingpong", 2, 1), ("pingpong2", 2, 1), ("wake", 1, 1),
           ("churn", 1000, 1), ("churn-turn", 1000, 1), ("timers", 1000, 1))
# The reach: so many instructions more than by hand, at most, for an event of at least so many.
REACH_INSTRUCTIONS, REACH_K = 25, 16
# A time has to be below so much of ours to count as shorter.
NOISE = 0.97
BEGIN, END = "<!-- compare: made by tests/bench/compare --update -->", "<!-- compare: end -->"


def row_title(row):
    scenario, n, k, where = row
    text = {"ready": f"ready, {k} of {n}", "serve": f"serve, {k} of {n}", "pingpong": "pingpong, one thread",
            "pingpong2": "pingpong, two threads", "churn": f"churn beside {n}", "churn-turn": f"churn-turn beside {n}",
            "timers": f"timers, {n} pending"}.get(scenario, scenario)
    return f"{text}, {where}" if where else text


def title_of(row):
    return row_title((row["scenario"], row["n"], row["k"], row["where"]))


def number(value):
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}" if abs(value) < 0.01 else f"{value:.3f}"


def value_of(row, name, measure):
    return row["results"].get(name, {}).get(measure)


def table(figures):
    names = figures["libraries"]
    out = []
    for measure, title in MEASURES:
        rows = [row for row in figures["rows"] if any(value_of(row, name, measure) is not None for name in names)]
        if not rows:
            continue
        out.append(f"| {title} per operation | " + " | ".join(TITLES[name] for name in names) + " |")
        out.append("|---|" + "---:|" * len(names))
        for row in rows:
            cells = [number(value_of(row, name, measure)) for name in names]
            if "ready" in names:
                at = names.index("ready")
                cells[at] = f"**{cells[at]}**"
            out.append(f"| {title_of(row)} | " + " | ".join(cells) + " |")
        out.append("")
    if figures["versions"]:
        out.append("Versions: " + ", ".join(f"{TITLES[n]} {v}" for n, v in figures["versions"].items()) + ".")
    return "\n".join(out).rstrip()


def lost(figures):
    """Where another library is ahead, and where the reach against the loop by hand is missed."""
    others = [name for name in figures["libraries"] if name != "bare" and not name.startswith("ready")]
    for row in figures["rows"]:
        for measure, title in MEASURES:
            ours, bare = value_of(row, "ready", measure), value_of(row, "bare", measure)
            if ours is None:
                continue
            margin = NOISE if measure == "ns" else 0.999
            ahead = [name for name in others
                     if value_of(row, name, measure) is not None and value_of(row, name, measure) < ours * margin]
            if ahead:
                yield (f"{title_of(row)}: {title.lower()}: {number(ours)}; fewer: " +
                       ", ".join(f"{TITLES[name]} {number(value_of(row, name, measure))}" for name in ahead))
            if bare is None:
                continue
            if measure == "instructions" and row["k"] >= REACH_K and ours - bare > REACH_INSTRUCTIONS:
                yield f"{title_of(row)}: {ours - bare:.1f} instructions more than by hand, reach {REACH_INSTRUCTIONS}"
            if measure == "system_calls" and ours > bare + 0.001:
                yield f"{title_of(row)}: {number(ours)} system calls, by hand {number(bare)}"


# The plot: three panels, one group of bars for each row, a logarithmic axis.
WIDTH, PANEL, TOP, LEFT, LABELS = 1120, 210, 64, 64, 96
STYLE = """<style>
text { font: 12px sans-serif; fill: #333 } .head { font-weight: bold; font-size: 13px } .small { font-size: 11px }
.grid { stroke: #999; stroke-opacity: .35 } .axis { stroke: #777 }
@media (prefers-color-scheme: dark) { text { fill: #ccc } }
</style>"""


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def tick(power):
    return f"{10 ** power:,}".replace(",", " ") if power >= 0 else f"{10.0 ** power:g}"


def panel(rows, names, measure, title, y):
    values = [value_of(row, name, measure) for row in rows for name in names]
    values = [v for v in values if v is not None and v > 0]
    if not values:
        return []
    low, high = math.floor(math.log10(min(values)) - 0.02), math.ceil(math.log10(max(values)) + 0.01)
    bottom, group = y + PANEL, (WIDTH - LEFT - 8) / len(rows)

    def at(value):
        return bottom - (math.log10(value) - low) / (high - low) * (PANEL - 24)
    out = [f'<text class="head" x="{LEFT}" y="{y + 10}">{escape(title)} per operation (logarithmic)</text>']
    for power in range(low, high + 1):
        where = at(10.0 ** power)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 8}" y1="{where:.1f}" y2="{where:.1f}"/>')
        out.append(f'<text class="small" text-anchor="end" x="{LEFT - 6}" y="{where + 4:.1f}">{tick(power)}</text>')
    width = (group - 12) / len(names)
    for i, row in enumerate(rows):
        for j, name in enumerate(names):
            value = value_of(row, name, measure)
            if not value or value < 0:
                continue
            x, top = LEFT + i * group + 6 + j * width, at(value)
            out.append(f'<rect x="{x:.1f}" y="{top:.1f}" width="{width - 1:.1f}" height="{bottom - top:.1f}" '
                       f'fill="{COLOURS[name]}"><title>{escape(title_of(row))}: {TITLES[name]}: {number(value)}'
                       '</title></rect>')
    out.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 8}" y1="{bottom}" y2="{bottom}"/>')
    return out


def svg(figures):
    names = figures["libraries"]
    rows = [row for row in figures["rows"] if (row["scenario"], row["n"], row["k"]) in PLOTTED and not row["where"]]
    if not rows:
        raise ValueError("none of the rows that are plotted was measured")
    out, y = [], TOP
    for measure, title in MEASURES:
        part = panel(rows, names, measure, title, y)
        if part:
            out += part
            y += PANEL + 28
    group = (WIDTH - LEFT - 8) / len(rows)
    for i, row in enumerate(rows):
        x = LEFT + (i + 0.5) * group
        out.append(f'<text class="small" text-anchor="end" transform="translate({x:.1f},{y - 14}) rotate(-32)">'
                   f'{escape(title_of(row))}</text>')
    legend = []
    for i, name in enumerate(names):
        x = LEFT + i * 118
        legend.append(f'<rect x="{x}" y="34" width="12" height="12" fill="{COLOURS[name]}"/>')
        legend.append(f'<text x="{x + 17}" y="44">{TITLES[name]}</text>')
    height = y + LABELS - 8
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}">', "<!-- SPDX-License-Identifier: MIT. Made by tests/bench/compare. -->", STYLE,
            f'<text class="head" x="{LEFT}" y="20">What one operation costs: lower is better</text>']
    return "\n".join(head + legend + out + ["</svg>"]) + "\n"


def update(folder, figures):
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path}: no place for the table: {BEGIN} ... {END}")
    path.write_text(f"{before}{BEGIN}\n{table(figures)}\n{END}{after}", encoding="utf-8")
    (folder / "compare.svg").write_text(svg(figures), encoding="utf-8")
