"""From measured values to a table: medians, ratios pair by pair, goals met or not."""
import math
import statistics


class Row:
    """One metric of one scenario, over all pairs of runs."""

    def __init__(self, scenario, metric, moldau, kafka, limit, by_tools=None):
        """`by_tools`: the same metric under the load of Kafka's own perf tools, a Row of its own."""
        self.scenario, self.metric, self.limit, self.by_tools = scenario, metric, limit, by_tools
        self.moldau = statistics.median(moldau) if moldau else None
        self.kafka = statistics.median(kafka) if kafka else None
        # Runs of one pair shared the machine's mood: only they are divided by one another.
        self.ratios = sorted(a / b for a, b in zip(moldau, kafka) if b)

    @property
    def ratio(self):
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def limit_ratio(self):
        return self.moldau / self.limit if self.moldau is not None and self.limit else None

    def goals(self):
        """(value, bound, text) of each goal that can be judged."""
        metric = self.metric
        found = []
        for value, bound, of in ((self.ratio, metric.ratio_goal, "x Kafka"), (self.moldau, metric.goal, ""),
                                 (self.limit_ratio, metric.limit_goal, "x limit")):
            if bound is not None and value is not None:
                found.append((value, bound, f"{'>=' if metric.more_is_better else '<='} {bound:.3g} {of}".strip()))
        return found

    def verdict(self):
        """"met", "missed", or "" without a goal."""
        goals = self.goals()
        if not goals:
            return ""
        if self.metric.more_is_better:
            return "met" if all(value >= bound for value, bound, _ in goals) else "missed"
        return "met" if all(value <= bound for value, bound, _ in goals) else "missed"

    def as_json(self):
        return {"scenario": self.scenario, "metric": self.metric.title, "moldau": self.moldau,
                "kafka": self.kafka, "ratios": self.ratios, "limit": self.limit, "limit_ratio": self.limit_ratio,
                "by_tools": self.by_tools and {"moldau": self.by_tools.moldau, "kafka": self.by_tools.kafka,
                                               "ratios": self.by_tools.ratios},
                "goals": [text for _, _, text in self.goals()], "verdict": self.verdict()}


def number(value, digits=3):
    """With so many digits that say something."""
    if value is None:
        return ""
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{decimals}f}"


def tools_cell(row):
    """"0.310, 0.100: 3.10": Moldau, Kafka, and their ratio."""
    if row.by_tools is None:
        return ""
    values = [number(value) for value in (row.by_tools.moldau, row.by_tools.kafka) if value is not None]
    return ", ".join(values) + (f": {number(row.by_tools.ratio)}" if row.by_tools.ratios else "")


def table(rows):
    lines = ["| | | Moldau | Kafka | Moldau / Kafka (least to most) | with Kafka's perf tools | limit | Moldau / limit "
             "| goal | |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        ratio = ""
        if row.ratios:
            ratio = f"{number(row.ratio)} ({number(row.ratios[0])} to {number(row.ratios[-1])})"
        goal = ", ".join(text for _, _, text in row.goals())
        cells = [row.scenario, row.metric.title, number(row.moldau), number(row.kafka), ratio, tools_cell(row),
                 number(row.limit), number(row.limit_ratio), goal, row.verdict()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
