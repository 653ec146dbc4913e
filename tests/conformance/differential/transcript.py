"""What a server answered to a script: one entry for each request, kept as text, read back and compared."""
import collections
import dataclasses
import re

LINE = re.compile(r"v(\S+)(?: (.*?))?(?: \[x(\d+)\])? => (.*)$")
SHARED_BYTES_MIN = 300
LINE_COLUMNS_MAX = 2000


@dataclasses.dataclass(frozen=True)
class Entry:
    title: str
    api: str
    version: int
    label: str  # which variation of the request
    text: str  # the answer
    weight: int = 1  # how many requests it stands for

    @property
    def key(self):
        return self.title, self.version, self.label


def write(entries):
    """The transcript as text: a heading for each request, versions that answer alike in one line, refusals
    by closing in one list, long lists that come again (`@N@`) once at the end."""
    groups, shared = {}, _Shared(entry.text for entry in entries)
    for entry in entries:
        groups.setdefault((entry.title, entry.api), {}).setdefault(
            (entry.label, entry.text, entry.weight), []).append(entry.version)
    out = []
    for (title, api), answers in groups.items():
        out.append(f"# {title}\n{api}")
        closed = {}
        for (label, text, weight), versions in answers.items():
            times = f" [x{weight}]" if weight > 1 else ""
            head = f"v{version_ranges(versions)}{' ' + label if label else ''}{times}"
            if text == "close":
                closed.setdefault(head.split(" ")[0], []).append(head.partition(" ")[2] or "-")
            else:
                out.append(f"{head} => {shared.shorten(text)}")
        for versions, labels in closed.items():
            out += [f"{versions} closes:", *(f"  {label}" for label in labels)]
        out.append("")
    return "\n".join(_folded(line) for line in out + shared.lines())


def _folded(line):
    """A long line goes on in others, which begin with a plus and the blank at which it was parted."""
    out = []
    while len(line) > LINE_COLUMNS_MAX and (at := line.rfind(" ", 2, LINE_COLUMNS_MAX)) > 0:
        out.append(line[:at])
        line = "+" + line[at:]
    return "\n".join([*out, line])


def read(text):
    text = text.replace("\n+", "")
    entries, title, api, closes = [], None, None, None
    shared = dict(re.findall(r"(?m)^(@\d+@) (.*)$", text))
    for line in text.split("\n"):
        if line.startswith("@"):
            break
        if line.startswith("# "):
            title, api = line[2:], None
        elif line and api is None:
            api = line
        elif line.startswith("  "):
            label, weight = re.match(r"  (.*?)(?: ?\[x(\d+)\])?$", line).groups()
            label = "" if label == "-" else label
            entries += [Entry(title, api, version, label, "close", int(weight or 1)) for version in closes]
        elif line.endswith(" closes:"):
            closes = list(_versions(line[1:].partition(" ")[0]))
        elif line:
            versions, label, weight, answer = LINE.match(line).groups()
            answer = re.sub(r"@\d+@", lambda found: shared[found.group()], answer)
            entries += [Entry(title, api, version, label or "", answer, int(weight or 1))
                        for version in _versions(versions)]
    return entries


class _Shared:
    """Long lists that occur more than once."""

    def __init__(self, texts):
        counts = collections.Counter(part for text in texts for part in _long_lists(text))
        self.names = {part: f"@{number}@" for number, part in enumerate(
            (part for part, count in counts.items() if count > 1), 1)}
        self.used = {}

    def shorten(self, text):
        for part in _long_lists(text):
            if part in self.names and part in text:
                text = text.replace(part, self.names[part])
                self.used[self.names[part]] = part
        return text

    def lines(self):
        return [f"{name} {part}" for name, part in self.used.items()]


def _long_lists(text):
    """What stands in brackets and is long, the outer before the inner."""
    starts, found = [], []
    for at, letter in enumerate(text):
        if letter == "[":
            starts.append(at)
        elif letter == "]" and starts:
            start = starts.pop()
            if at - start > SHARED_BYTES_MIN:
                found.append((start, text[start:at + 1]))
    return [part for _, part in sorted(found, key=lambda one: (one[0], -len(one[1])))]


def version_ranges(versions):
    out = []
    for version in sorted(versions):
        if out and out[-1][1] == version - 1:
            out[-1][1] = version
        else:
            out.append([version, version])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in out)


def _versions(text):
    for part in text.split(","):
        low, _, high = part.partition("-")
        yield from range(int(low), int(high or low) + 1)


CODE = re.compile(r"\b\w*ErrorCode: (\w+)|^(close|no answer)")


def codes(text):
    """What an answer amounts to: its error codes, or how it is refused."""
    return [code or refusal for code, refusal in CODE.findall(text)]


@dataclasses.dataclass(frozen=True)
class Difference:
    script: str
    entry: Entry  # the one of Kafka, or ours where Kafka has none
    ours: str
    kafkas: str
    explanation: str | None

    @property
    def same_codes(self):
        return codes(self.ours) == codes(self.kafkas)


def compare(script, ours, kafkas, explanations):
    """The differences between two transcripts of one script."""
    mine = {entry.key: entry for entry in ours}
    theirs = {entry.key: entry for entry in kafkas}
    found = []
    for key in dict.fromkeys([*theirs, *mine]):
        one, other = mine.get(key), theirs.get(key)
        if one and other and one.text == other.text:
            continue
        entry = other or one
        found.append(Difference(script, entry, one.text if one else "(not asked)",
                                other.text if other else "(not asked)", explanations.find(script, entry)))
    return found


class Explanations:
    """Why an answer differs: lines `script / title / label: reason`, with * for any part of any of them."""

    def __init__(self, text):
        self.rows = []
        for line in text.split("\n"):
            if line.strip() and not line.startswith("#"):
                where, _, reason = line.partition(" : ")
                parts = [part.strip() for part in where.split(" / ")]
                if len(parts) != 3 or not reason.strip():
                    raise ValueError(f"not `script / title / label : reason`: {line}")
                self.rows.append((tuple(map(_pattern, parts)), reason.strip(), line))
        self.used = set()

    def find(self, script, entry):
        label = f"v{entry.version} {entry.label}".strip()
        for patterns, reason, line in self.rows:
            if all(pattern.fullmatch(text) for pattern, text in zip(patterns, (script, entry.title, label))):
                self.used.add(line)
                return reason
        return None

    def unused(self):
        return [line for _, _, line in self.rows if line not in self.used]


def _pattern(text):
    return re.compile(".*".join(map(re.escape, text.split("*"))))


def share_of_same_codes(results):
    """In percent of the requests."""
    count = sum(entry.weight for entries, _ in results for entry in entries)
    other = sum(one.entry.weight for _, differences in results for one in differences if not one.same_codes)
    return 100 * (count - other) / max(count, 1)


def table(results):
    """The counts for each API: `results` holds (entries of Kafka, differences) of every script."""
    rows = {}
    for entries, differences in results:
        for entry in entries:
            rows.setdefault(entry.api, [0, 0, 0])[0] += entry.weight
        for difference in differences:
            rows.setdefault(difference.entry.api, [0, 0, 0])[2 if difference.explanation else 1] += (
                difference.entry.weight)
    lines = [f"{'API':32}{'requests':>9}{'same':>8}{'different':>10}{'explained':>10}"]
    total = [sum(column) for column in zip(*rows.values())] or [0, 0, 0]
    for name, (count, different, explained) in [*sorted(rows.items()), ("all", total)]:
        lines.append(f"{name:32}{count:9}{count - different - explained:8}{different:10}{explained:10}")
    lines.append(f"same error codes or same close: {share_of_same_codes(results):.2f} % of {total[0]} requests")
    return "\n".join(lines)
