"""Bar charts as SVG, without a library: one per scenario, one group of bars per metric."""
import html

import verdict

COLOURS = {"moldau": "#1f6f8b", "kafka": "#b0b0b0", "limit": "#e0a030", "moldau, perf tool": "#7fb3c4",
           "kafka, perf tool": "#d8d8d8"}
WIDTH, ROW, GAP, LEFT, RIGHT = 860, 18, 14, 300, 160


def bars(title, rows):
    """`rows`: (label, more is better, {who: value}). Each row has its own scale: units differ."""
    parts = []
    y = 44
    for label, more_is_better, values in rows:
        most = max([value for value in values.values() if value] or [1])
        middle = y + ROW * len(values) / 2
        parts.append(f'<text x="{LEFT - 8}" y="{middle - 2:.0f}" text-anchor="end">{html.escape(label)}</text>')
        parts.append(f'<text x="{LEFT - 8}" y="{middle + 12:.0f}" text-anchor="end" class="small">'
                     f'{"more" if more_is_better else "less"} is better</text>')
        for who, value in values.items():
            length = max(1.0, (WIDTH - LEFT - RIGHT) * value / most)
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{ROW - 3}" '
                         f'fill="{COLOURS[who]}"/>')
            parts.append(f'<text x="{LEFT + length + 5:.1f}" y="{y + ROW - 6}" class="small">{who} '
                         f"{verdict.number(value)}</text>")
            y += ROW
        y += GAP + ROW * max(0, 2 - len(values))
    style = "text{font:13px sans-serif;fill:#222}.small{font-size:11px}.title{font-size:15px;font-weight:bold}"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}">'
            f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>'
            f'<text x="12" y="24" class="title">{html.escape(title)}</text>{"".join(parts)}</svg>\n')
