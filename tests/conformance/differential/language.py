"""Reads scripts (grammar: README.md): text into paragraphs, values into trees that are evaluated when they run."""
import base64
import itertools
import json
import re
import time

from harness.codec import Count, Raw

from . import batches


class ScriptError(Exception):
    """The script is not written as the grammar says."""


TOKEN = re.compile(r'\s+|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)(?![\w]))'
                   r"|(?P<name>\$?[A-Za-z_][\w.]*)|(?P<sign>[\[\]{}(),:=])")
HEAD = re.compile(r"(?:(?P<connection>[a-z]\w*): )?(?P<api>[A-Z]\w*) v(?P<low>\d+)(?:-(?P<high>\d+))?"
                  r"(?: (?P<rest>.*))?$")
INTERPOLATION = re.compile(r"\$(\w+)")


class Scanner:
    """The tokens of one text, each (kind, text)."""

    def __init__(self, text):
        self.text, self.tokens, at = text, [], 0
        while at < len(text):
            found = TOKEN.match(text, at)
            if found is None:
                raise ScriptError(f"cannot read: {text[at:at + 40]}")
            if found.lastgroup:
                self.tokens.append((found.lastgroup, found.group()))
            at = found.end()
        self.at = 0

    def more(self):
        return self.at < len(self.tokens)

    def peek(self, ahead=0):
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ("end", "")

    def take(self, sign=None):
        kind, text = self.peek()
        if kind == "end" or sign is not None and text != sign:
            raise ScriptError(f"{sign or 'something'} expected instead of '{text}' in: {self.text.strip()[:80]}")
        self.at += 1
        return kind, text

    def skip(self, sign):
        if self.peek() == ("sign", sign):
            self.at += 1
            return True
        return False

    # A value is a function of the environment (a dict of variables).
    def value(self):
        kind, text = self.take()
        if kind == "string":
            return _string(json.loads(text))
        if kind == "number":
            number = float(text) if "." in text else int(text, 0)
            return lambda env: number
        if text == "[":
            return self._list("]")
        if text == "{":
            members = self.members("}")
            self.take("}")
            return lambda env: {name: value(env) for name, value in members}
        if kind != "name":
            raise ScriptError(f"a value expected instead of '{text}' in: {self.text.strip()[:80]}")
        if text.startswith("$"):
            return _variable(text[1:])
        if text in ("true", "false", "null"):
            constant = {"true": True, "false": False, "null": None}[text]
            return lambda env: constant
        if self.skip("("):
            return self._call(text)
        return lambda env: text

    def _list(self, end):
        values = []
        while not self.skip(end):
            values.append(self.value())
            self.skip(",")
        return lambda env: [value(env) for value in values]

    def members(self, end=None):
        """`Name: value` pairs until `end` or the end of the text; commas may be left out."""
        found = []
        while self.more() and self.peek()[1] != end:
            name = self.take()[1]
            self.take(":")
            found.append((name, self.value()))
            self.skip(",")
        return found

    def _call(self, name):
        if name not in FUNCTIONS:
            raise ScriptError(f"unknown function {name}")
        plain, named = [], []
        while not self.skip(")"):
            if self.peek()[0] == "name" and self.peek(1) == ("sign", "="):
                key = self.take()[1]
                self.take("=")
                named.append((key, self.value()))
            else:
                plain.append(self.value())
            self.skip(",")
        return lambda env: FUNCTIONS[name](*(value(env) for value in plain),
                                           **{key: value(env) for key, value in named})


def _string(text):
    if "$" not in text:
        return lambda env: text
    return lambda env: INTERPOLATION.sub(lambda found: str(_variable(found[1])(env)), text)


def _variable(name):
    def get(env):
        if name not in env:
            raise ScriptError(f"${name} is not bound")
        return env[name]
    return get


def parse_value(text):
    scanner = Scanner(text)
    value = scanner.value()
    if scanner.more():
        raise ScriptError(f"left over after a value: {text}")
    return value


def parse_values(text):
    """Values parted by commas, each as (its text, the value)."""
    scanner = Scanner(text)
    found = []
    while scanner.more():
        start = scanner.at
        value = scanner.value()
        found.append((shown([token for _, token in scanner.tokens[start:scanner.at]]), value))
        if scanner.more():
            scanner.take(",")
    return found


def shown(tokens):
    """A value as a label shows it: as it is written, a long one by its beginning and a checksum."""
    text = "".join(f"{token} " if token in ",:" else token for token in tokens)
    return text if len(text) <= 70 else f"{text[:60]}... {batches.crc32c(text.encode()):08x}"


# --- What values may call

def _bytes(value):
    return value.encode(errors="surrogateescape") if isinstance(value, str) else value


def _record(value="v", key=None, headers=(), **rest):
    return {"value": _bytes(value), "key": _bytes(key),
            "headers": [(_bytes(name), _bytes(content)) for name, content in headers], **rest}


def _batch(*records, payload=None, **rest):
    records = [r if isinstance(r, dict) else _bytes(r) for r in records]
    return batches.batch(*records, payload=_bytes(payload), **rest)


def _message(value="v", key=None, **rest):
    return batches.message(_bytes(value), _bytes(key), **rest)


def _patch(content, at, new):
    content = bytearray(content)
    content[at:at + len(new)] = new
    return bytes(content)


def _records(*records, **rest):
    return b"".join(batches.record(**(r if isinstance(r, dict) else {"value": _bytes(r)})) for r in records)


FUNCTIONS = {
    "batch": _batch,
    "record": _record,
    "records": _records,
    "message": _message,
    "compress": lambda codec, content: batches.compress(codec, _bytes(content)),
    "join": lambda *parts: b"".join(map(_bytes, parts)),
    "cut": lambda content, size: content[:size],
    "patch": _patch,
    "repeat": lambda text, times: text * times,
    "times": lambda count, value: [value] * count,
    "sequence": lambda prefix, count: [f"{prefix}{n}" for n in range(count)],
    "numbers": lambda low, high: list(range(low, high)),
    "bytes": _bytes,
    "hex": lambda text: bytes.fromhex(text),
    "raw": lambda text: Raw(bytes.fromhex(text)),
    "count": Count,
    "uuid": lambda text: base64.urlsafe_b64decode(text + "=="),
    "now": lambda plus=0: int(time.time() * 1000) + plus,
}


# --- Paragraphs

class Paragraph:
    """One step of a script: a request in some versions and variations, or a verb."""

    def __init__(self, line, title):
        self.line, self.title = line, title
        self.verb, self.words = None, ""
        self.connection = None
        self.api = None
        self.versions = range(0)
        self.modifiers = {}
        self.fields = []
        self.each = []  # (variable, values)
        self.tries = []  # (path, values)
        self.lets = []  # (variable, path)
        self.expects = []

    def variations(self, env):
        """(label, variables, (path, value) to put or None) of every run of this request."""
        loops = [[(name, *value) for value in values] for name, values in self.each]
        for combination in itertools.product(*loops):
            variables = {name: value(env) for name, _, value in combination}
            label = " ".join(f"${name}={text}" for name, text, _ in combination)
            # With tries, the request as it is written is not run: it would be the same for every try.
            if not self.tries:
                yield label, variables, None
            for path, values in self.tries:
                for text, value in values:
                    yield f"{label} {path}={text}".strip(), variables, (path, value({**env, **variables}))


class Script:
    def __init__(self, name, text):
        self.name = name
        self.properties = {}
        self.settings = {}
        self.paragraphs = []
        try:
            self._parse(text)
        except ScriptError as error:
            raise ScriptError(f"{name}.script: {error}") from None

    def _parse(self, text):
        titles = set()
        for line, lines in _split(text):
            title = " ".join(text[1:].strip() for text in lines if text.startswith("#"))
            lines = [text for text in lines if not text.startswith("#")]
            if not lines:
                continue
            try:
                paragraph = self._paragraph(line, title, lines)
            except ScriptError as error:
                raise ScriptError(f"line {line}: {error}") from None
            if paragraph is None:
                continue
            if paragraph.api:
                paragraph.title = title = title or lines[0].strip()
                if title in titles:
                    raise ScriptError(f"line {line}: a second paragraph with the title '{title}'")
                titles.add(title)
            self.paragraphs.append(paragraph)

    def _paragraph(self, line, title, lines):
        word, _, rest = lines[0].strip().partition(" ")
        if word == "node":
            for text in lines:
                key, _, value = text.strip().removeprefix("node ").partition("=")
                self.properties[key] = value
            return None
        if word in ("mask", "unordered"):
            for text in lines:
                word, _, rest = text.strip().partition(" ")
                self.settings.setdefault(word, set()).update(rest.partition(" because ")[0].split())
            return None
        paragraph = Paragraph(line, title)
        if word in ("on", "connect", "close", "receive", "raw", "pause"):
            paragraph.verb, paragraph.words = word, rest
            _more(paragraph, lines[1:])
            if word in ("receive", "raw"):
                paragraph.api = paragraph.api or word
            return paragraph
        while lines and lines[0].startswith("each "):
            found = re.match(r"each \$(\w+) in (.*)$", lines.pop(0).strip())
            if found is None:
                raise ScriptError("each $name in value, value ...")
            # Long lists go on in indented lines.
            text = found[2]
            while text.endswith(",") and lines:
                text += " " + lines.pop(0).strip()
            paragraph.each.append((found[1], parse_values(text)))
        head = HEAD.match(lines[0].strip()) if lines else None
        if head is None:
            raise ScriptError(f"no request and no verb: {lines[:1]}")
        paragraph.verb, paragraph.api, paragraph.connection = "call", head["api"], head["connection"]
        paragraph.versions = range(int(head["low"]), int(head["high"] or head["low"]) + 1)
        paragraph.modifiers = _modifiers(head["rest"] or "")
        _more(paragraph, lines[1:])
        return paragraph


def _more(paragraph, lines):
    fields = []
    lines = list(lines)
    while lines:
        text = lines.pop(0).strip()
        word, _, rest = text.partition(" ")
        if word == "let":
            name, _, path = rest.partition(" = ")
            paragraph.lets.append((name.strip().removeprefix("$"), path.strip()))
        elif word == "expect":
            paragraph.expects.append(rest.strip())
        elif word == "try":
            path, _, values = rest.partition(" = ")
            while values.endswith(",") and lines:
                values += " " + lines.pop(0).strip()
            paragraph.tries.append((path.strip(), parse_values(values)))
        else:
            fields.append(text)
    paragraph.fields = Scanner(" ".join(fields)).members()


def _modifiers(text):
    scanner = Scanner(text)
    found = {}
    while scanner.more():
        name = scanner.take()[1]
        found[name] = scanner.value() if scanner.skip("=") else True
    return found


def _split(text):
    """(line number, lines) of each paragraph."""
    lines, start = [], 0
    for number, line in enumerate(text.split("\n") + [""], 1):
        if line.strip():
            if not lines:
                start = number
            lines.append(line.rstrip())
        elif lines:
            yield start, lines
            lines = []


# --- Paths: Topics[0].Name, Topics[Name=t].TopicId

STEP = re.compile(r"([A-Za-z]\w*)|\[(\d+)\]|\[(\w+)=([^\]]*)\]|\.")


def steps_of(path):
    at, found = 0, []
    while at < len(path):
        match = STEP.match(path, at)
        if match is None:
            raise ScriptError(f"no path: {path}")
        if match[1]:
            found.append(match[1])
        elif match[2]:
            found.append(int(match[2]))
        elif match[3]:
            found.append((match[3], match[4]))
        at = match.end()
    return found


def look_up(values, path):
    for step in steps_of(path):
        if isinstance(step, tuple):
            values = next((one for one in values if str(one.get(step[0])) == step[1]), None)
        else:
            values = values[step]
        if values is None:
            raise ScriptError(f"nothing at {path}")
    return values


def put(values, path, value):
    """A copy of `values` with one part replaced; what is missing on the way is made."""
    def change(values, steps):
        if not steps:
            return value
        step, rest = steps[0], steps[1:]
        if isinstance(step, int):
            values = list(values or [])
            values += [{}] * (step + 1 - len(values))
            values[step] = change(values[step], rest)
            return values
        return {**(values or {}), step: change((values or {}).get(step), rest)}
    return change(values, steps_of(path))
