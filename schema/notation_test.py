#!/usr/bin/env python3
"""What the notation refuses and what it keeps: above all, that no field goes without a meaning."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import notation

GLOSSARY = "| `ErrorCode` | 0 when all went well |\n"
SCHEMA = """# Asks for something.
request Ask: key 0, versions 0-1, flexible 1+, listeners broker
    # How many things are wanted;
    # -1 is all.
    Count  int32  0+

response Ask: key 0, versions 0-1, flexible 1+
    ErrorCode  int16  0+
"""


def parse(schema=SCHEMA, glossary=GLOSSARY):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "api").mkdir()
        (folder / "api" / "00_ask.schema").write_text(schema)
        (folder / "glossary.md").write_text(glossary)
        return notation.parse_folder(folder)


class Meaning(unittest.TestCase):
    def test_comes_from_the_comment_above_the_field_or_from_the_glossary(self):
        request, response = parse()
        self.assertEqual(request.meaning, "Asks for something.")
        self.assertEqual(request.root.fields[0].meaning, "How many things are wanted; -1 is all.")
        self.assertEqual(response.root.fields[0].meaning, "0 when all went well.")

    def refused(self, message, **folder):
        with self.assertRaises(SystemExit) as stopped:
            parse(**folder)
        self.assertIn(message, str(stopped.exception))

    def test_must_not_be_absent(self):
        self.refused("AskRequest.Count has no meaning",
                     schema=SCHEMA.replace("    # How many things are wanted;\n    # -1 is all.\n", ""))

    def test_must_stand_right_above_its_field(self):
        self.refused("AskRequest.Count has no meaning", schema=SCHEMA.replace("all.\n", "all.\n\n"))

    def test_of_a_message_must_not_be_absent(self):
        self.refused("no comment above says what it is for", schema=SCHEMA.split("\n", 1)[1])

    def test_stands_in_one_place_only(self):
        self.refused("AskResponse.ErrorCode repeats the glossary",
                     schema=SCHEMA.replace("    ErrorCode", "    # 0 when all went well.\n    ErrorCode"))
        self.refused("ErrorCode is explained twice", glossary=GLOSSARY + GLOSSARY)

    def test_of_the_glossary_must_be_used(self):
        self.refused("Absent is used by nobody", glossary=GLOSSARY + "| `Absent` | nothing |\n")

    def test_of_the_glossary_may_be_for_one_struct_or_entity_only(self):
        for name in ("AskResponse.ErrorCode", "ErrorCode(code)"):
            response = parse(schema=SCHEMA.replace("int16  0+", "int16  0+  entity code"),
                             glossary=f"| `{name}` | 0 when all went well |\n")[1]
            self.assertEqual(response.root.fields[0].meaning, "0 when all went well.")


if __name__ == "__main__":
    unittest.main()
