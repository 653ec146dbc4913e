#!/usr/bin/env python3
"""Compares our messages with the released Kafka: every fact of schema/ with the definitions inside the
jars, the API table with Kafka's, and random messages of every version with Kafka's own classes.

    compare.py <schema folder> <protocol_rewrite program> <folder of Kafka's jars>

Exits 77 (skipped) with the reason when there are no jars or no JDK.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).parent
SKIPPED = 77
MESSAGES_PER_VERSION = 40


def skip(reason):
    print(f"SKIP: {reason}")
    sys.exit(SKIPPED)


def kafka_definitions(jars):
    """Name -> definition, from all jars."""
    found = {}
    for jar in sorted(jars.glob("kafka*.jar")):
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if re.fullmatch(r"(common/)?(message|metadata)/\w+\.json", name):
                    text = archive.read(name).decode()
                    definition = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
                    found[definition["name"]] = definition
    return found


def text(value):
    """A JSON scalar as the generator's string: true is 'true', 0 is '0', absent and null are ''."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def normal_default(kind, value):
    zero = {"bool": "false", "string": "", "uuid": "", "float64": "0"}.get(
        kind, "0" if "int" in kind and "[" not in kind else "")
    if value == "" or value == zero:
        return zero
    return str(int(value, 0)) if re.fullmatch(r"u?int\d+", kind) else value


def kafka_facts(definition, versions_of):
    """Path -> the facts of a message or field."""
    facts = {"": {
        "kind": definition["type"].replace("-", "_"),
        "key": definition.get("apiKey"),
        "versions": versions_of(definition["validVersions"]),
        "flexible": versions_of(definition.get("flexibleVersions", "none")),
        "listeners": sorted(definition.get("listeners", [])),
        "latest_unstable": definition.get("latestVersionUnstable", False),
    }}

    def walk(path, fields):
        for order, field in enumerate(fields):
            here = f"{path}/{field['name']}"
            versions = field.get("versions") or field.get("taggedVersions")
            kind = re.sub(r"^\[\](.*)$", r"[\1]", field["type"])
            facts[here] = {
                "order": order,
                "type": kind,
                "versions": versions_of(versions),
                "nullable": versions_of(field.get("nullableVersions") or "none"),
                "tag": field.get("tag"),
                "tagged": versions_of(field.get("taggedVersions") or "none"),
                "default": normal_default(kind, text(field.get("default"))),
                "ignorable": field.get("ignorable", False),
                "key": field.get("mapKey", False),
                "flexible": field.get("flexibleVersions", ""),
                "zero_copy": field.get("zeroCopy", False),
                "entity": re.sub(r"(?<!^)([A-Z])", r"_\1", field.get("entityType", "")).lower(),
            }
            walk(here, field.get("fields", []))

    walk("", definition.get("fields", []))
    for struct in definition.get("commonStructs", []):
        facts[f"struct {struct['name']}"] = {"versions": versions_of(struct["versions"])}
        walk(f"struct {struct['name']}", struct["fields"])
    return facts


def our_facts(message):
    facts = {"": {
        "kind": message.kind,
        "key": message.key,
        "versions": str(message.versions),
        "flexible": str(message.flexible),
        "listeners": sorted(message.listeners),
        "latest_unstable": message.latest_unstable,
    }}

    def walk(path, fields):
        for order, field in enumerate(fields):
            here = f"{path}/{field.name}"
            kind = f"[{field.type}]" if field.is_array else field.type
            facts[here] = {
                "order": order,
                "type": kind,
                "versions": str(field.versions),
                "nullable": str(field.nullable),
                "tag": field.tag,
                "tagged": "none" if field.tag is None else str(field.versions),
                "default": normal_default(kind, field.default or ""),
                "ignorable": field.ignorable,
                "key": field.is_key,
                "flexible": "" if field.flexible is None else str(field.flexible),
                "zero_copy": field.zero_copy,
                "entity": field.entity or "",
            }
            walk(here, field.children)

    walk("", message.root.fields)
    for struct in message.common.values():
        facts[f"struct {struct.name}"] = {"versions": str(struct.versions)}
        walk(f"struct {struct.name}", struct.fields)
    return facts


def compare_definitions(notation, schema, jars):
    definitions = kafka_definitions(jars)
    ours = {message.name: message for message in notation.parse_folder(schema)}
    wrong = [f"{name}: only in Kafka" for name in definitions.keys() - ours.keys()]
    wrong += [f"{name}: only here" for name in ours.keys() - definitions.keys()]
    count = 0

    def versions_of(value):
        return str(notation.Versions.parse(value))

    for name in sorted(definitions.keys() & ours.keys()):
        theirs, mine = kafka_facts(definitions[name], versions_of), our_facts(ours[name])
        for path in sorted(theirs.keys() | mine.keys()):
            a, b = theirs.get(path, {}), mine.get(path, {})
            count += len(a)
            wrong += [f"{name}{path} {fact}: kafka={a.get(fact)!r} ours={b.get(fact)!r}"
                      for fact in sorted(a.keys() | b.keys()) if a.get(fact) != b.get(fact)]
    return count, wrong


def compare_answers(schema, program, jars, seed):
    """Asks the generated C++ and Kafka's classes the same questions."""
    generator = schema / "random_messages.py"
    questions = subprocess.run(
        [sys.executable, generator, schema, seed, str(MESSAGES_PER_VERSION)],
        check=True, capture_output=True).stdout
    questions = b"apis\n" + questions
    with tempfile.TemporaryDirectory() as classes:
        classpath = f"{classes}:{jars}/*"
        subprocess.run(["javac", "-cp", classpath, "-d", classes, HERE / "Rewrite.java"], check=True)
        theirs = subprocess.run(["java", "-Dfile.encoding=UTF-8", "-cp", classpath, "Rewrite"],
                                input=questions, check=True, capture_output=True).stdout
        ours = subprocess.run([program], input=questions, check=True, capture_output=True).stdout
        # And the other way round: what Kafka wrote, read and written here.
        written = [b" ".join(line.split(b" ")[:3]) for line in theirs.splitlines()
                   if b" error: " not in line and not line.startswith(b"api ")]
        again = subprocess.run([program], input=b"\n".join(written) + b"\n", check=True,
                               capture_output=True).stdout
    wrong = []
    pairs = list(zip(theirs.splitlines(), ours.splitlines(), strict=True))
    for line, mine in pairs:
        if line != mine or b" error: " in line:
            wrong.append(f"kafka {line.decode()}\n  ours  {mine.decode()}")
    for line, mine in zip(written, again.splitlines(), strict=True):
        if mine.split(b" ")[:3] != line.split(b" "):
            wrong.append(f"kafka wrote {line.decode()}\n  ours        {mine.decode()}")
    return len(pairs), wrong


def main():
    schema, program, jars = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    seed = sys.argv[4] if len(sys.argv) > 4 else "1"
    if not list(jars.glob("kafka-clients-*.jar")):
        skip(f"no Kafka jars: folder={jars}")
    if shutil.which("javac") is None:
        skip("no javac in PATH: a JDK is needed to ask Kafka's classes")
    sys.path.insert(0, str(schema))
    import notation

    count, wrong = compare_definitions(notation, schema, jars)
    print(f"definitions: {count} facts, {len(wrong)} differ")
    answers, differ = compare_answers(schema, program, jars, seed)
    print(f"answers: {answers} compared both ways, {len(differ)} differ, seed {seed}")
    for line in (wrong + differ)[:40]:
        print("  " + line)
    sys.exit(1 if wrong or differ else 0)


if __name__ == "__main__":
    main()
