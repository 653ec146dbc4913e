"""Gives every field its meaning: its own sentence in the schema, or the one of its name in glossary.md.

A field that has neither stops the compiler, as do a line of the glossary that nobody uses and a
sentence that repeats the glossary: each meaning stands in one place.
"""

import re

ROW = re.compile(r"\| `([^`]+)` \| (.+) \|$")


def read(path):
    """Name, Struct.Name or Name(entity) -> meaning."""
    meanings = {}
    for number, line in enumerate(path.read_text().split("\n"), 1):
        row = ROW.match(line)
        for name in row.group(1).split() if row else ():
            if name in meanings:
                raise SystemExit(f"{path}:{number}: {name} is explained twice")
            meanings[name] = sentence(row.group(2))
    return meanings


def sentence(text):
    return text[0].upper() + text[1:] + "."


def give_meanings(messages, path):
    meanings, used, complaints = read(path), set(), []
    for message in messages:
        for struct in message.structs + [message.root]:
            for field in struct.fields:
                names = (f"{struct.name}.{field.name}", f"{field.name}({field.entity})", field.name)
                name = next((name for name in names if name in meanings), None)
                if field.meaning is None and name:
                    field.meaning = meanings[name]
                    used.add(name)
                elif field.meaning is None:
                    complaints.append(f"{message.file}: {message.name}: {struct.name}.{field.name} has no "
                                      "meaning: a comment above the field, or a line in glossary.md")
                elif field.meaning == meanings.get(name):
                    complaints.append(f"{message.file}: {message.name}: {struct.name}.{field.name} repeats "
                                      "the glossary")
    complaints += [f"glossary.md: {name} is used by nobody" for name in meanings if name not in used]
    if complaints:
        raise SystemExit("\n".join(complaints))
