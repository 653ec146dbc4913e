#!/usr/bin/env python3
"""Turns the key tables beside this file into one C++ file of constant arrays.

usage: generate.py OUTPUT.cc
       generate.py --document OUTPUT.md          the same tables as documentation
       generate.py --check-document FILE.md      exit 1 when FILE.md is not what --document writes

A table is tab-separated with a header line. `<null>`, `<empty>` and `<required>` in the default column
stand for null, the empty text and "must be given". The rule column holds one of:
  -                                  the type alone decides
  range MIN..MAX                     either side may be missing
  gzip-level | non-null | non-empty | quorum-voters | bootstrap-servers | throttled-replicas
  share-auto-offset-reset
  one-of A,B  |  one-of-ignoring-case A,B
  list [not-empty] [not-null] [of A,B]
The acts column is yes, no, or part: some of what the key says is not there yet.
The synonyms column names broker keys, first one first, each optionally multiplied: `log.roll.hours*3600000`.
"""
import csv
import pathlib
import sys

TABLES = ["broker", "broker_dynamic_only", "topic", "group", "client_metrics", "user_client_quota",
          "ip_quota"]
RULES = {"gzip-level": "GzipLevel", "non-null": "NonNull", "non-empty": "NonEmpty",
         "quorum-voters": "QuorumVoters", "bootstrap-servers": "BootstrapServers",
         "throttled-replicas": "ThrottledReplicas",
         "share-auto-offset-reset": "ShareAutoOffsetReset"}
NOTATION = {"gzip-level": "[1,...,9] or -1", "non-null": "non-null string",
            "non-empty": "non-empty string", "quorum-voters": "non-empty list",
            "bootstrap-servers": "non-empty list",
            "throttled-replicas": "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
            "share-auto-offset-reset": "[latest, earliest, by_duration:PnDTnHnMn.nS]"}
DYNAMIC = {"read-only": "ReadOnly", "per-broker": "PerBroker", "cluster-wide": "ClusterWide"}


def read_table(name):
    path = pathlib.Path(__file__).parent / f"{name}.tsv"
    with path.open() as source:
        return list(csv.DictReader(source, delimiter="\t", quoting=csv.QUOTE_NONE))


def parse_rule(text):
    """(rule, min, max, words, empty allowed, null allowed, Kafka's notation)"""
    words, empty, null, low, high = [], True, True, None, None
    head, _, rest = text.partition(" ")
    if head == "-":
        return "None", low, high, words, empty, null, ""
    if head == "range":
        low, high = (part or None for part in rest.split(".."))
        notation = f"[{low},...,{high}]" if high else f"[{low},...]"
        return "Range", low, high, words, empty, null, notation
    if head in ("one-of", "one-of-ignoring-case"):
        words = rest.split(",")
        notation = "[" + ", ".join(words) + "]"
        if head == "one-of":
            return "OneOf", low, high, words, empty, null, notation
        return "OneOfIgnoringCase", low, high, words, empty, null, "(case insensitive) " + notation
    if head == "list":
        flags, of, names = rest.partition("of ")
        words = names.split(",") if of else []
        notation = "[" + ", ".join(words) + "]" if words else ""
        return ("ListOf", low, high, words, "not-empty" not in flags, "not-null" not in flags,
                notation)
    return RULES[head], low, high, words, empty, null, NOTATION[head]


def cpp_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def cpp_name(table):
    return "".join(part.capitalize() for part in table.split("_"))


def number(value):
    return "std::nullopt" if value is None else f"{float(value)!r}"


def emit(table, rows, out):
    pools, entries = [], []
    for index, row in enumerate(sorted(rows, key=lambda row: row["name"])):
        rule, low, high, words, empty, null, notation = parse_rule(row["rule"])
        words_ref = synonyms_ref = "{}"
        if words:
            words_ref = f"k{cpp_name(table)}Words{index}"
            pools.append(f"constexpr std::string_view {words_ref}[] = {{"
                         + ", ".join(map(cpp_string, words)) + "};")
        if row["synonyms"] != "-":
            synonyms_ref = f"k{cpp_name(table)}Synonyms{index}"
            items = []
            for item in row["synonyms"].split(","):
                name, _, factor = item.partition("*")
                items.append(f"{{{cpp_string(name)}, {factor or 1}}}")
            pools.append(f"constexpr Synonym {synonyms_ref}[] = {{" + ", ".join(items) + "};")
        default = row["default"]
        value = {"<null>": "std::nullopt", "<required>": "std::nullopt",
                 "<empty>": 'std::string_view("")'}.get(
                     default, f"std::string_view({cpp_string(default)})")
        bound = [cpp_string("" if row.get(name) in (None, "-") else row[name])
                 for name in ("broker_min", "broker_max")]
        entries.append("    {" + ", ".join([
            cpp_string(row["name"]), "ConfigType::" + row["type"].capitalize(),
            "true" if default == "<required>" else "false", value, "Rule::" + rule, number(low),
            number(high), words_ref, "true" if empty else "false", "true" if null else "false",
            cpp_string(notation), cpp_string(row["importance"]),
            "DynamicMode::" + DYNAMIC[row["dynamic"]],
            "true" if row["visibility"] != "public" else "false", synonyms_ref, *bound,
            "false" if row["acts"] == "no" else "true"]) + "},")
    out += pools
    out.append(f"constexpr ConfigKey k{cpp_name(table)}Keys[] = {{")
    out += entries
    out.append("};")


HEADINGS = {
    "broker": ("Nodes", "Keys of `server.properties`. *Dynamic* says whether `kafka-configs` may change a key"
               " while the node runs: per broker, cluster-wide, or not at all (read-only)."),
    "broker_dynamic_only": ("Nodes, at run time only", "Set with `kafka-configs`, never in the file."),
    "topic": ("Topics", "Set per topic; *Default from* names the node key whose value a topic takes when"
              " it sets none."),
    "group": ("Groups", "Set per group; *Default from* names the node key, *Bounds* the node keys that"
              " limit the value."),
    "client_metrics": ("Client metrics subscriptions", ""),
    "user_client_quota": ("Users and client ids", "Quotas and SCRAM credentials."),
    "ip_quota": ("Addresses", ""),
}


def cell(text):
    return text.replace("|", "\\|") if text else " "


def shown_default(text):
    return {"<null>": "none", "<empty>": "empty", "<required>": "**must be given**"}.get(
        text, f"`{text}`")


def synonyms_of(row):
    if row["synonyms"] == "-":
        return ""
    return ", ".join("`" + item.replace("*", "` x `") + "`" for item in row["synonyms"].split(","))


def document():
    """docs/configuration.md: one table per kind of resource."""
    out = ["# Configuration", "",
           "Every key of Apache Kafka 4.3 is known here, with Kafka's type, default and range. A value"
           " outside its range",
           "stops the start with one line; an unknown key is a warning that names the nearest known"
           " one. A key with",
           "*Acts* = no is accepted and has no effect in this version; *part* means that some of what it"
           " says is not",
           "there yet: a change of `log.cleaner.threads` waits for the next start, and"
           " `quota.window.*` measure connections",
           "only. Keys that begin with `moldau.` are ours: Kafka knows none of them, and `kafka-configs`"
           " shows them only",
           "where they are set.", "",
           "Requests are served by the thread that reads them, so `queued.max.requests` counts those"
           " that wait for another",
           "one (the group coordinator, the controller, a disk). Once there are as many, each connection"
           " is served one",
           "request at a time, as Kafka always does it. `queued.max.request.bytes` bounds the requests"
           " that are not there",
           "in full yet. Answers that clients do not read may take an eighth of the node's memory, and"
           " no more than 128 MiB.", "",
           "This page is made from `src/config/tables/*.tsv` by `src/config/tables/generate.py"
           " --document`.", ""]
    for table in TABLES:
        rows = [row for row in sorted(read_table(table), key=lambda row: row["name"])
                if row["visibility"] != "internal"]
        title, text = HEADINGS[table]
        acting = sum(row["acts"] != "no" for row in rows)
        out += [f"## {title}", ""]
        if text:
            out += [text, ""]
        out += [f"{acting} of {len(rows)} keys act.", ""]
        columns = ["Key", "Type", "Default", "Allowed"]
        columns += {"broker": ["Dynamic", "Stands in"], "topic": ["Default from"],
                    "group": ["Default from", "Bounds"]}.get(table, [])
        columns.append("Acts")
        out += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        for row in rows:
            cells = [f"`{row['name']}`", row["type"].lower(), shown_default(row["default"]),
                     parse_rule(row["rule"])[-1]]
            if table == "broker":
                cells += [row["dynamic"], synonyms_of(row)]
            elif table == "topic":
                cells.append(synonyms_of(row))
            elif table == "group":
                bounds = [row[name] for name in ("broker_min", "broker_max") if row[name] != "-"]
                cells += [synonyms_of(row), ", ".join(f"`{name}`" for name in bounds)]
            cells.append(row["acts"])
            out.append("| " + " | ".join(map(cell, cells)) + " |")
        out.append("")
    return "\n".join(out)


def compiled():
    out = ["// Made by tables/generate.py from the key tables; edits are lost.",
           '#include "config/tables.h"', "", "namespace moldau::config {", "namespace {"]
    for table in TABLES:
        emit(table, read_table(table), out)
    out.append("}  // namespace")
    for table in TABLES:
        out.append(f"std::span<const ConfigKey> {table}_keys() {{ return k{cpp_name(table)}Keys; }}")
    out.append("}  // namespace moldau::config")
    return "\n".join(out) + "\n"


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--document":
        pathlib.Path(sys.argv[2]).write_text(document())
    elif len(sys.argv) == 3 and sys.argv[1] == "--check-document":
        if pathlib.Path(sys.argv[2]).read_text() != document():
            sys.exit(f"{sys.argv[2]} is out of date: run generate.py --document {sys.argv[2]}")
    elif len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    else:
        pathlib.Path(sys.argv[1]).write_text(compiled())


if __name__ == "__main__":
    main()
