#include <gtest/gtest.h>
#include <stdlib.h>

#include "cli/test_streams.h"
#include "cli/tools.h"
#include "protocol/records/group.h"
#include "protocol/wire.h"
#include "record/builder.h"
#include "runtime/file_system.h"
#include "storage/producer_state.h"

namespace moldau::cli {
namespace {

class DumpLog : public ::testing::Test {
 protected:
    DumpLog() {
        char name[] = "/tmp/moldau_dump_XXXXXX";
        root_ = ::mkdtemp(name);
    }
    ~DumpLog() override { (void)runtime::real_file_system().remove_all(root_); }

    std::string write(std::string_view name, const Bytes& content) {
        std::string path = root_ + "/" + std::string(name);
        auto file = runtime::real_file_system().open(path, runtime::OpenMode::Create);
        EXPECT_TRUE((*file)->write(content.span(), 0));
        return path;
    }
    int run(std::vector<std::string> arguments) {
        TestStreams streams;
        int code = run_kafka_dump_log(arguments, streams.get());
        out_ = streams.out();
        err_ = streams.err();
        return code;
    }
    static Bytes batch(int64_t base, std::vector<std::string> values,
                       std::optional<std::string_view> key = std::nullopt) {
        record::BatchOptions options;
        options.base_offset = Offset(base);
        options.leader_epoch = 0;
        record::BatchBuilder builder(options);
        for (const std::string& value : values) {
            builder.append(1000, key, value);
        }
        return builder.build();
    }
    static Bytes join(std::initializer_list<Bytes> parts) {
        Buffer all;
        for (const Bytes& part : parts) {
            all.append(part.span());
        }
        return std::move(all).freeze();
    }
    static std::string crc_of(const Bytes& batch) {
        return std::to_string(record::BatchView::parse(batch)->header().crc);
    }

    std::string root_;
    std::string out_;
    std::string err_;
};

TEST_F(DumpLog, shows_batches_and_with_content_their_records) {
    Bytes first = batch(0, {"one"});
    Bytes second = batch(1, {"two", "three"}, "k");
    std::string path = write("00000000000000000000.log", join({first, second}));
    EXPECT_EQ(run({"--files", path, "--print-data-log"}), 0);
    std::string line =
        "count: {} baseSequence: -1 lastSequence: -1 producerId: -1 producerEpoch: -1 "
        "partitionLeaderEpoch: 0 isTransactional: false isControl: false deleteHorizonMs: "
        "OptionalLong.empty position: {} CreateTime: 1000 size: {} magic: 2 compresscodec: none "
        "crc: "
        "{} isvalid: true\n";
    EXPECT_EQ(
        out_,
        "Dumping " + path + "\nLog starting offset: 0\nbaseOffset: 0 lastOffset: 0 " +
            fmt::format(fmt::runtime(line), 1, 0, first.size(), crc_of(first)) +
            "| offset: 0 CreateTime: 1000 keySize: -1 valueSize: 3 sequence: -1 headerKeys: "
            "[] payload: one\n" +
            "baseOffset: 1 lastOffset: 2 " +
            fmt::format(fmt::runtime(line), 2, first.size(), second.size(), crc_of(second)) +
            "| offset: 1 CreateTime: 1000 keySize: 1 valueSize: 3 sequence: -1 headerKeys: [] "
            "key: k payload: two\n"
            "| offset: 2 CreateTime: 1000 keySize: 1 valueSize: 5 sequence: -1 headerKeys: [] "
            "key: k payload: three\n");
    EXPECT_EQ(run({"--files", path, "--print-data-log", "--skip-record-metadata"}), 0);
    EXPECT_NE(out_.find("\n| payload: one\n"), std::string::npos);
    EXPECT_NE(out_.find("\n| key: k payload: two\n"), std::string::npos);
}

TEST_F(DumpLog, tells_of_a_cut_tail_a_bad_checksum_and_gaps) {
    Bytes first = batch(0, {"one"});
    Bytes gap = batch(5, {"six"});
    Buffer damaged;
    damaged.append(gap.span());
    damaged.data()[17] ^= 1;
    Bytes tail = batch(6, {"x"}).slice(0, 30);
    std::string path =
        write("00000000000000000000.log", join({first, std::move(damaged).freeze(), tail}));
    EXPECT_EQ(run({"--files", path, "--deep-iteration"}), 0);
    EXPECT_NE(out_.find("isvalid: false"), std::string::npos);
    EXPECT_NE(out_.find("Found 30 invalid bytes at the end of 00000000000000000000.log\n"),
              std::string::npos);
    EXPECT_EQ(err_, "Non-consecutive offsets in " + path + "\n  0 is followed by 5\n");
}

TEST_F(DumpLog, decodes_group_records) {
    protocol::OffsetCommitKey key;
    key.group = "g";
    key.topic = "t";
    key.partition = 3;
    protocol::OffsetCommitValue value;
    value.offset = 42;
    value.leader_epoch = -1;
    value.metadata = "m";
    value.commit_timestamp = 7;
    auto prefixed = [](int16_t prefix, const Bytes& body) {
        return std::string({static_cast<char>(prefix >> 8), static_cast<char>(prefix)}) +
               body.str();
    };
    record::BatchBuilder builder;
    std::string key_bytes = prefixed(1, protocol::encode(key, 0));
    std::string value_bytes = prefixed(3, protocol::encode(value, 3));
    builder.append(1000, key_bytes, value_bytes);
    builder.append(1000, key_bytes, std::nullopt);
    std::string path = write("00000000000000000000.log", builder.build());
    EXPECT_EQ(run({"--files", path, "--offsets-decoder", "--skip-record-metadata"}), 0);
    std::string shown =
        R"(| key: {"type":"1","data":{"group":"g","topic":"t","partition":3}} payload: )";
    EXPECT_NE(out_.find(shown + R"({"version":"3","data":{"offset":42,"leaderEpoch":-1,)"
                                R"("metadata":"m","commitTimestamp":7}})"),
              std::string::npos)
        << out_;
    EXPECT_NE(out_.find(shown + "<DELETE>\n"), std::string::npos) << out_;
}

TEST_F(DumpLog, checks_and_prints_indexes) {
    Bytes first = batch(0, {"one"});
    Bytes second = batch(1, {"two"});
    write("00000000000000000000.log", join({first, second}));
    Buffer index;
    index.resize(8);
    const uint8_t entry[] = {0, 0, 0, 1, 0, 0, 0, static_cast<uint8_t>(first.size())};
    std::copy(std::begin(entry), std::end(entry), index.data());
    std::string path = write("00000000000000000000.index", std::move(index).freeze());
    EXPECT_EQ(run({"--files", path}), 0);
    EXPECT_EQ(out_, fmt::format("Dumping {}\noffset: 1 position: {}\n", path, first.size()));
    EXPECT_EQ(err_, "");
    EXPECT_EQ(run({"--files", path, "--index-sanity-check"}), 0);
    EXPECT_EQ(out_, "Dumping " + path + "\n" + path + " passed sanity check.\n");
}

TEST_F(DumpLog, shows_producer_snapshots) {
    storage::ProducerState state("p", std::chrono::hours(1));
    auto append = state.begin_append(ProducerId(9), storage::ProducerOrigin::Client);
    storage::ProducerBatchHeader header;
    header.producer_id = ProducerId(9);
    header.producer_epoch = 0;
    header.base_sequence = 0;
    header.last_sequence = 2;
    header.base_offset = Offset(8);
    header.last_offset = Offset(10);
    header.max_timestamp = 5;
    header.transactional = true;
    ASSERT_TRUE(append.append_data(header));
    state.update(append);
    std::string path = write("00000000000000000011.snapshot", state.encode_snapshot());
    EXPECT_EQ(run({"--files", path}), 0);
    EXPECT_EQ(out_, "Dumping " + path +
                        "\nproducerId: 9 producerEpoch: 0 coordinatorEpoch: -1 "
                        "currentTxnFirstOffset: OptionalLong[8] lastTimestamp: 5 firstSequence: 0 "
                        "lastSequence: 2 lastOffset: 10 offsetDelta: 2 timestamp: 5\n");
}

TEST_F(DumpLog, refuses_what_it_cannot_read_as_kafka_does) {
    EXPECT_EQ(run({"--files", root_ + "/00000000000000000000.log"}), 1);
    EXPECT_EQ(err_, "Exception in thread \"main\" java.nio.file.NoSuchFileException: " + root_ +
                        "/00000000000000000000.log\n");
    std::string path = write("meta.properties", Bytes::copy_of("x"));
    EXPECT_EQ(run({"--files", path}), 0);
    EXPECT_EQ(err_, "Ignoring unknown file " + path + "\n");
    EXPECT_EQ(run({"--deep-iteration"}), 1);
    EXPECT_TRUE(err_.starts_with("Missing required argument \"[files]\"\n"));
    EXPECT_EQ(run({"--nosuch"}), 1);
    EXPECT_EQ(err_,
              "Exception in thread \"main\" joptsimple.UnrecognizedOptionException: nosuch is not "
              "a recognized option\n");
    path = write("no-offset.log", Bytes());
    EXPECT_EQ(run({"--files", path}), 1);
    EXPECT_EQ(out_, "Dumping " + path + "\n");
    EXPECT_EQ(err_,
              "Exception in thread \"main\" java.lang.NumberFormatException: For input string: "
              "\"no-offset\"\n");
}

}  // namespace
}  // namespace moldau::cli
