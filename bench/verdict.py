"""From measured values to a table: medians, ratios pair by pair, goals met or not."""
import statistics


class Row:
    """One metric of one scenario, over all pairs of runs."""

    def __init__(self, scenario, metric, moldau, kafka, limit):
        self.scenario, self.metric, self.limit = scenario, metric, limit
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
                "kafka": self.kafka, "ratios": self.ratios, "limit": self.limit,
                "goals": [text for _, _, text in self.goals()], "verdict": self.verdict()}


def number(value, digits):
    return "" if value is None else f"{value:.{digits}f}"


def table(rows):
    lines = ["| | | Moldau | Kafka | Moldau / Kafka (least to most) | limit | Moldau / limit | goal | |",
             "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        digits = row.metric.digits
        ratio = ""
        if row.ratios:
            ratio = f"{row.ratio:.3f} ({row.ratios[0]:.3f} to {row.ratios[-1]:.3f})"
        goal = ", ".join(text for _, _, text in row.goals())
        cells = [row.scenario, row.metric.title, number(row.moldau, digits), number(row.kafka, digits), ratio,
                 number(row.limit, digits), number(row.limit_ratio, 2), goal, row.verdict()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
