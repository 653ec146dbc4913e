#!/usr/bin/env python3
"""The rig's own tests; no server needed."""
import pathlib
import random
import sys
import unittest
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from differential import batches, rig, transcript  # noqa: E402
from harness import codec  # noqa: E402
from differential.language import Script, ScriptError, look_up, parse_value, put  # noqa: E402
from differential.render import Masks, Renderer  # noqa: E402
from differential.transcript import Entry  # noqa: E402

import random_messages  # noqa: E402  (schema/ is on the path through codec)

CATALOG = codec.Catalog()


def value(text, **env):
    return parse_value(text)(env)


def paragraphs(text):
    return Script("test", text).paragraphs


class Codec(unittest.TestCase):
    def test_every_message_survives_decoding_and_encoding(self):
        for messages in (CATALOG.requests, CATALOG.responses):
            for message in messages.values():
                for version in range(message.versions.low, message.versions.high + 1):
                    rng = random.Random(f"{message.name}{version}")
                    content = random_messages.random_message(message, version, rng)
                    values = codec.decode(message, version, content)
                    self.assertEqual(codec.encode(message, version, values), content, f"{message.name} v{version}")

    def test_fields_of_other_versions_are_left_out(self):
        metadata = CATALOG.requests["Metadata"]
        self.assertEqual(codec.encode(metadata, 0, {"Topics": [], "AllowAutoTopicCreation": True}), b"\0\0\0\0")

    def test_a_field_of_no_version_is_refused(self):
        with self.assertRaises(codec.UnknownField):
            codec.encode(CATALOG.requests["Metadata"], 0, {"Topic": []})

    def test_wrong_values_go_where_their_types_do_not_allow_them(self):
        heartbeat = CATALOG.requests["Heartbeat"]
        self.assertTrue(codec.encode(heartbeat, 0, {"GroupId": None}).startswith(b"\xff\xff"))
        self.assertTrue(codec.encode(heartbeat, 0, {"GroupId": codec.Raw(b"xyz")}).startswith(b"xyz"))
        metadata = CATALOG.requests["Metadata"]
        self.assertEqual(codec.encode(metadata, 0, {"Topics": codec.Count(9)}), b"\0\0\0\x09")

    def test_what_is_left_over_or_cut_off_is_undecodable(self):
        response = CATALOG.responses["Heartbeat"]
        with self.assertRaises(codec.Undecodable):
            codec.decode(response, 0, b"\0\0\0")
        with self.assertRaises(codec.Undecodable):
            codec.decode(response, 0, b"\0")


class Batches(unittest.TestCase):
    def test_a_batch_is_described_as_it_was_made(self):
        [one] = batches.describe(batches.batch(b"a", b"b", base_offset=5, producer_id=7, producer_epoch=1, sequence=3))
        self.assertEqual((one["Offsets"], one["Count"], one["Producer"]), ("5-6", 2, "7/1 sequence 3"))
        self.assertNotIn("Crc", one)

    def test_a_false_checksum_and_a_cut_batch_are_told(self):
        self.assertEqual(batches.describe(batches.batch(b"a", crc=1))[0]["Crc"], "wrong")
        self.assertEqual(batches.describe(batches.batch(b"a")[:30]), [{"PartOfABatch": 30}])

    def test_plain_blocks_make_proper_frames(self):
        self.assertEqual(zlib.decompress(batches.compress("gzip", b"content"), 31), b"content")
        # The header checksum of LZ4's frame is the second byte of an xxHash32.
        self.assertEqual(batches._xxh32(b""), 0x02CC5D05)
        self.assertEqual(batches.compress("lz4", b"content")[:7], bytes.fromhex("04224d1860 40 82"))


class Language(unittest.TestCase):
    def test_values(self):
        self.assertEqual(value('{A: 1, B: [-2, 0x10], C: "x$n", D: null, E: true}', n=5),
                         {"A": 1, "B": [-2, 16], "C": "x5", "D": None, "E": True})
        self.assertEqual(value('repeat("ab", 2)'), "abab")
        self.assertEqual(value('join(hex("00ff"), "a")'), b"\0\xffa")

    def test_a_variable_that_is_not_bound_is_an_error(self):
        with self.assertRaises(ScriptError):
            value("$nothing")

    def test_a_request_with_versions_fields_and_modifiers(self):
        [one] = paragraphs('# title\na: Fetch v4-6 fresh size=3\n    MaxWaitMs: 5\n    Topics: [{Topic: "t"}]')
        self.assertEqual((one.title, one.connection, one.api, one.versions), ("title", "a", "Fetch", range(4, 7)))
        self.assertEqual(one.modifiers["fresh"], True)
        self.assertEqual({name: get({}) for name, get in one.fields}, {"MaxWaitMs": 5, "Topics": [{"Topic": "t"}]})

    def test_each_and_try_multiply(self):
        [one] = paragraphs('each $x in 1, 2\nMetadata v0\n    Topics: []\n    try Topics = null, [$x]')
        self.assertEqual([(label, tried) for label, _, tried in one.variations({})],
                         [("$x=1 Topics=null", ("Topics", None)), ("$x=1 Topics=[$x]", ("Topics", [1])),
                          ("$x=2 Topics=null", ("Topics", None)), ("$x=2 Topics=[$x]", ("Topics", [2]))])

    def test_two_requests_need_two_titles(self):
        with self.assertRaises(ScriptError):
            paragraphs("# same\nMetadata v0\n\n# same\nMetadata v1")

    def test_paths_find_and_put(self):
        values = {"Topics": [{"Name": "a", "Id": 1}, {"Name": "b", "Id": 2}]}
        self.assertEqual(look_up(values, "Topics[1].Id"), 2)
        self.assertEqual(look_up(values, "Topics[Name=b].Id"), 2)
        self.assertEqual(put(values, "Topics[0].Id", 9)["Topics"][0], {"Name": "a", "Id": 9})
        self.assertEqual(values["Topics"][0]["Id"], 1)
        self.assertEqual(put({}, "Topics[0].Id", 9), {"Topics": [{"Id": 9}]})

    def test_every_script_is_readable(self):
        self.assertGreater(len(rig.scripts()), 10)


class Rendering(unittest.TestCase):
    def render(self, api, values, masks="", places=()):
        return Renderer(Masks(masks), {}, dict(places)).answer(CATALOG.responses[api], values)

    def test_defaults_are_left_out_and_codes_have_names(self):
        self.assertEqual(self.render("Heartbeat", {"ThrottleTimeMs": 0, "ErrorCode": 25}),
                         "{ErrorCode: UNKNOWN_MEMBER_ID}")

    def test_ids_are_numbered_as_they_appear(self):
        first, second = bytes(range(16)), bytes(range(1, 17))
        topics = [{"TopicId": second}, {"TopicId": first}, {"TopicId": second}]
        self.assertEqual(self.render("Metadata", {"Topics": topics}),
                         "{Topics: [{TopicId: id1}, {TopicId: id2}, {TopicId: id1}]}")

    def test_masks_places_and_order(self):
        brokers = [{"NodeId": 2, "Host": "h", "Port": 5}, {"NodeId": 1, "Host": "h", "Port": 77}]
        self.assertEqual(self.render("Metadata", {"Brokers": brokers, "ClusterId": "x"},
                                     "mask Metadata.ClusterId because it varies\n"
                                     "unordered Metadata.Brokers because nobody orders them", {"77": "PORT"}),
                         '{Brokers: [{NodeId: 1, Host: "h", Port: PORT}, {NodeId: 2, Host: "h", Port: 5}], '
                         'ClusterId: *}')

    def test_a_mask_needs_a_reason(self):
        with self.assertRaises(ValueError):
            Masks("mask Metadata.ClusterId")


class Transcripts(unittest.TestCase):
    LIST = "[" + ", ".join(f"{{Name: {n}}}" for n in range(50)) + "]"
    ENTRIES = [Entry("a title", "Fetch", 4, "", "{}"), Entry("a title", "Fetch", 5, "", "{}"),
               Entry("a title", "Fetch", 6, 'Topic="a => b"', "close"),
               Entry("a title", "Fetch", 7, "cuts", "close", 40),
               Entry("a title", "Fetch", 8, "", "close"), Entry("another", "Metadata", 0, "", f"{{Topics: {LIST}}}"),
               Entry("another", "Metadata", 3, "", f"{{Brokers: 1, Topics: {LIST}}}"),
               Entry("another", "Metadata", 4, "x", "close; 5-6: {}", 7),
               Entry("another", "Metadata", 5, "long", "{Name: " + "word " * 2000 + "}")]

    def test_what_is_written_is_read_again(self):
        text = transcript.write(self.ENTRIES)
        self.assertEqual(sorted(map(str, transcript.read(text))), sorted(map(str, self.ENTRIES)))
        self.assertIn("v4-5 => {}", text)
        self.assertEqual(text.count(self.LIST), 1)
        self.assertLessEqual(max(map(len, text.split("\n"))), transcript.LINE_COLUMNS_MAX)

    def test_differences_are_found_on_either_side_and_explained(self):
        kafkas = [Entry("t", "Fetch", 4, "x", "{ErrorCode: NONE}"), Entry("t", "Fetch", 5, "", "close")]
        mine = [Entry("t", "Fetch", 4, "x", "{ErrorCode: NONE, ErrorMessage: 1}"), Entry("t", "Fetch", 6, "", "close")]
        explanations = transcript.Explanations("s / t / v4 * : words\ns / other / * : unused\n")
        found = transcript.compare("s", mine, kafkas, explanations)
        self.assertEqual([(one.entry.version, one.explanation, one.same_codes) for one in found],
                         [(4, "words", True), (5, None, False), (6, None, False)])
        self.assertEqual(explanations.unused(), ["s / other / * : unused"])

    def test_the_table_counts_requests(self):
        entries = [Entry("t", "Fetch", 4, "", "{}"), Entry("t", "Fetch", 5, "cuts", "close", 9)]
        difference = transcript.Difference("s", entries[0], "close", "{}", None)
        text = transcript.table([(entries, [difference])])
        self.assertRegex(text, r"Fetch +10 +9 +1 +0")
        self.assertIn("90.00 % of 10 requests", text)


if __name__ == "__main__":
    unittest.main()
