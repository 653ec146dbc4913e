// kafka-dump-log: prints segments, indexes, producer snapshots and metadata snapshots.
#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "base/endian.h"
#include "cli/dump_log_decoders.h"
#include "cli/dump_log_indexes.h"
#include "cli/option_parser.h"
#include "cli/text.h"
#include "cli/tools.h"
#include "record/batch.h"
#include "runtime/file_system.h"
#include "storage/producer_state.h"
#include "storage/segment.h"
#include "storage/transaction_index.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr std::string_view kStringDecoder = "org.apache.kafka.tools.api.StringDecoder";

constexpr OptionSpec kOptions[] = {
    {"cluster-metadata-decoder", None, {}, "Decode records as those of the metadata log."},
    {"deep-iteration", None, {}, "Show every record, not only batches."},
    {"files", Required, "file1, file2, ...", "REQUIRED: the files to show, separated by commas."},
    {"index-sanity-check", None, {}, "Only check what a broker checks of an index when it starts."},
    {"key-decoder-class", Optional, {}, "How keys are shown.", "String", kStringDecoder},
    {"max-bytes", Required, "size", "Bytes of each segment to read at most.", "Integer",
     "2147483647"},
    {"max-message-size", Required, "size", "Size of the largest message.", "Integer", "5242880"},
    {"offsets-decoder", None, {}, "Decode records as those of __consumer_offsets."},
    {"print-data-log", None, {}, "Show keys and values; implied by every decoder."},
    {"remote-log-metadata-decoder", None, {}, "Decode records as those of remote log metadata."},
    {"share-group-state-decoder", None, {}, "Decode records as those of __share_group_state."},
    {"skip-record-metadata", None, {}, "Leave out what is not key or value, and control records."},
    {"transaction-log-decoder", None, {}, "Decode records as those of __transaction_state."},
    {"value-decoder-class", Optional, {}, "How values are shown.", "String", kStringDecoder},
    {"verify-index-only", None, {}, "Check indexes against their segment without printing them."},
    kHelpOption,
    kVersionOption,
};

constexpr std::string_view kContentOptions[] = {"print-data-log",
                                                "offsets-decoder",
                                                "transaction-log-decoder",
                                                "cluster-metadata-decoder",
                                                "remote-log-metadata-decoder",
                                                "value-decoder-class",
                                                "key-decoder-class",
                                                "share-group-state-decoder"};

// Offsets of a file that do not follow one another: where, and what came instead.
using Gaps = std::map<std::string, std::map<int64_t, int64_t>>;

class LogDumper {
 public:
    LogDumper(Streams& streams, const ParsedOptions& options)
        : out_(streams.out), skip_metadata_(options.has("skip-record-metadata")) {
        contents_ = std::any_of(std::begin(kContentOptions), std::end(kContentOptions),
                                [&](std::string_view option) { return options.has(option); });
        deep_ = contents_ || options.has("deep-iteration");
    }

    // Before each log, as Kafka does: whatever is wrong shows after the first log's name.
    Status configure(const ParsedOptions& options) {
        if (options.has("offsets-decoder")) {
            decoder_ = show_group_record;
        } else if (options.has("transaction-log-decoder")) {
            decoder_ = show_transaction_record;
        } else if (options.has("cluster-metadata-decoder")) {
            decoder_ = show_metadata_record;
        } else if (options.has("remote-log-metadata-decoder")) {
            return fail(ErrorCode::InvalidRequest,
                        "java.lang.UnsupportedOperationException: remote log metadata is not "
                        "decoded by this node");
        } else if (options.has("share-group-state-decoder")) {
            decoder_ = show_share_record;
        } else {
            MOLDAU_TRY(value_decoder_,
                       find_bytes_decoder(options.value_or("value-decoder-class", kStringDecoder)));
            MOLDAU_TRY(key_decoder_,
                       find_bytes_decoder(options.value_or("key-decoder-class", kStringDecoder)));
        }
        auto bytes_max = options.int32("max-bytes");
        if (!bytes_max) {
            return fail(ErrorCode::InvalidRequest,
                        "joptsimple.OptionArgumentConversionException: {}",
                        bytes_max.error().message);
        }
        bytes_max_ = bytes_max->value_or(std::numeric_limits<int32_t>::max());
        return {};
    }

    Status dump(const std::string& path, std::string_view name) {
        MOLDAU_CHECK(print_title(name));
        auto opened = runtime::real_file_system().open(path, runtime::OpenMode::Read);
        if (!opened) {
            return fail(missing_or(opened.error(), path));
        }
        runtime::File& file = **opened;
        MOLDAU_TRY(uint64_t file_bytes, file.size());
        auto end = std::min<int64_t>(static_cast<int64_t>(file_bytes), bytes_max_);
        int64_t position = 0;
        int64_t last_offset = -1;
        while (true) {
            MOLDAU_TRY(auto batch, next_batch(file, path, position, end));
            if (!batch) {
                break;
            }
            MOLDAU_CHECK(dump_batch(*batch, position, path, last_offset));
            position += static_cast<int64_t>(batch->size_in_bytes());
        }
        if (end > position && bytes_max_ == std::numeric_limits<int32_t>::max()) {
            say(out_, "Found {} invalid bytes at the end of {}\n", end - position, name);
        }
        return {};
    }

    const Gaps& gaps() const { return gaps_; }

 private:
    Status print_title(std::string_view name) {
        if (name.ends_with(storage::kLogSuffix)) {
            std::string_view digits = name.substr(0, name.find('.'));
            auto base = parse_number<int64_t>(digits);
            if (!base) {
                return fail(ErrorCode::InvalidRequest,
                            "java.lang.NumberFormatException: For input string: \"{}\"", digits);
            }
            say(out_, "Log starting offset: {}\n", *base);
        } else if (name == "bootstrap.checkpoint") {
            say(out_, "KRaft bootstrap snapshot\n");
        } else {
            // 00000000000000000042-0000000003.checkpoint
            int32_t epoch = 0;
            std::string_view digits = name.size() > 31 ? name.substr(21, 10) : std::string_view();
            std::from_chars(digits.data(), digits.data() + digits.size(), epoch);
            say(out_, "Snapshot end offset: {}, epoch: {}\n",
                storage::offset_of_file_name(name).value_or(Offset(0)), epoch);
        }
        return {};
    }

    // nullopt at the end, or when what is left is no whole batch.
    Result<std::optional<record::BatchView>> next_batch(runtime::File& file,
                                                        const std::string& path, int64_t position,
                                                        int64_t end) {
        constexpr int32_t kLegacyOverhead = 14;
        constexpr int64_t kUpToMagic = 17;
        std::array<uint8_t, kUpToMagic> prefix;
        if (position >= end - kUpToMagic) {
            return std::nullopt;
        }
        MOLDAU_TRY(size_t got, file.read(prefix, static_cast<uint64_t>(position)));
        if (got < prefix.size()) {
            return std::nullopt;
        }
        auto length = load_big<int32_t>(prefix.data() + 8);
        if (length < kLegacyOverhead) {
            return fail(ErrorCode::CorruptMessage,
                        "org.apache.kafka.common.errors.CorruptRecordException: Found record size "
                        "{} smaller than minimum record overhead ({}) in file {}.",
                        length, kLegacyOverhead, path);
        }
        int64_t bytes = length + static_cast<int64_t>(record::kBatchPrefixBytes);
        if (bytes > end - position) {
            return std::nullopt;
        }
        Buffer buffer;
        buffer.resize(static_cast<size_t>(bytes));
        MOLDAU_TRY(size_t all, file.read(buffer.span(), static_cast<uint64_t>(position)));
        buffer.resize(all);
        auto batch = record::BatchView::parse(std::move(buffer).freeze());
        if (!batch) {
            return fail(batch.error());
        }
        return *batch;
    }

    Status dump_batch(const record::BatchView& batch, int64_t position, const std::string& path,
                      int64_t& last_offset) {
        const record::BatchHeader& header = batch.header();
        say(out_,
            "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: "
            "{} "
            "producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} "
            "deleteHorizonMs: {} position: {} {}: {} size: {} magic: {} compresscodec: {} crc: {} "
            "isvalid: {}\n",
            header.base_offset, header.last_offset(), header.record_count, header.base_sequence,
            header.last_sequence(), header.producer_id, header.producer_epoch, header.leader_epoch,
            header.is_transactional(), header.is_control(),
            header.has_delete_horizon() ? fmt::format("OptionalLong[{}]", header.base_timestamp)
                                        : "OptionalLong.empty",
            position, timestamp_name(header), header.max_timestamp, header.size_in_bytes(),
            header.magic, record::codec_name(header.codec()), header.crc,
            batch.check_crc().has_value());
        if (!deep_) {
            return {};
        }
        MOLDAU_TRY(Bytes payload, batch.uncompressed_payload());
        record::RecordReader reader(header, payload);
        while (reader.next()) {
            int64_t offset = reader.record().offset.value();
            if (offset != last_offset + 1) {
                gaps_[path][last_offset] = offset;
            }
            last_offset = offset;
            MOLDAU_CHECK(dump_record(header, reader.record()));
        }
        return reader.status();
    }

    static std::string_view timestamp_name(const record::BatchHeader& header) {
        return header.timestamp_type() == record::TimestampType::LogAppendTime ? "LogAppendTime"
                                                                               : "CreateTime";
    }

    Status dump_record(const record::BatchHeader& header, const record::RecordView& record) {
        std::string line;
        auto to = std::back_inserter(line);
        if (!skip_metadata_) {
            auto size = [](const std::optional<std::string_view>& bytes) {
                return bytes ? static_cast<int64_t>(bytes->size()) : -1;
            };
            int32_t sequence =
                header.base_sequence < 0
                    ? record::kNoSequence
                    : record::advance_sequence(
                          header.base_sequence,
                          static_cast<int32_t>(record.offset - header.first_offset()));
            fmt::format_to(
                to, "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [",
                record.offset, timestamp_name(header), record.timestamp, size(record.key),
                size(record.value), sequence);
            std::string_view separator;
            for (const record::RecordHeader& each : record.headers()) {
                fmt::format_to(to, "{}{}", separator, each.key);
                separator = ",";
            }
            line += ']';
            if (header.is_control()) {
                line += show_control_record(record);
            }
        }
        if (contents_ && !header.is_control()) {
            MOLDAU_TRY(ShownRecord shown, show(record));
            std::string_view prefix = skip_metadata_ ? "| " : " ";
            if (shown.key) {
                fmt::format_to(to, "{}key: {}", prefix, *shown.key);
                prefix = " ";
            }
            if (shown.value) {
                fmt::format_to(to, "{}payload: {}", prefix, *shown.value);
            }
        }
        say(out_, "{}\n", line);
        return {};
    }

    Result<ShownRecord> show(const record::RecordView& record) const {
        if (decoder_ != nullptr) {
            return decoder_(record);
        }
        ShownRecord shown;
        if (record.key) {
            shown.key = key_decoder_(*record.key);
        }
        if (record.value) {
            shown.value = value_decoder_(*record.value);
        }
        return shown;
    }

    std::FILE* out_;
    bool skip_metadata_;
    bool contents_ = false;
    bool deep_ = false;
    int64_t bytes_max_ = 0;
    RecordDecoder decoder_ = nullptr;
    BytesDecoder key_decoder_ = nullptr;
    BytesDecoder value_decoder_ = nullptr;
    Gaps gaps_;
};

Status dump_snapshot(const std::string& path, Streams& streams) {
    auto content = runtime::real_file_system().read_file(path);
    if (!content) {
        return fail(missing_or(content.error(), path));
    }
    auto entries = storage::decode_producer_snapshot(content->span());
    if (!entries) {
        say(streams.err, "{}\n", entries.error().message);
        return {};
    }
    for (const storage::ProducerEntry& entry : *entries) {
        say(streams.out,
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} "
            "lastTimestamp: {}",
            entry.producer_id, entry.producer_epoch, entry.coordinator_epoch,
            entry.current_txn_first_offset
                ? fmt::format("OptionalLong[{}]", *entry.current_txn_first_offset)
                : "OptionalLong.empty",
            entry.last_timestamp);
        for (const storage::ProducerBatch& batch : entry.cached()) {
            say(streams.out,
                " firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} "
                "timestamp: {}",
                batch.first_sequence(), batch.last_sequence, batch.last_offset, batch.offset_delta,
                batch.timestamp);
        }
        say(streams.out, "\n");
    }
    return {};
}

Status dump_transaction_index(const std::string& path, std::string_view name, Streams& streams) {
    auto content = runtime::real_file_system().read_file(path);
    if (!content) {
        return fail(missing_or(content.error(), path));
    }
    MOLDAU_TRY(auto index,
               storage::TransactionIndex::parse(
                   storage::offset_of_file_name(name).value_or(Offset(0)), content->span()));
    for (const storage::AbortedTxn& txn : index.entries()) {
        say(streams.out,
            "version: 0 producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}\n",
            txn.producer_id, txn.first_offset, txn.last_offset, txn.last_stable_offset);
    }
    return {};
}

// joptsimple's class for what it refuses, by its words: this tool lets its exceptions through.
std::string_view option_exception(std::string_view message) {
    if (message.ends_with("is not a recognized option")) {
        return "UnrecognizedOptionException";
    }
    return message.ends_with("requires an argument") ? "OptionMissingRequiredArgumentException"
                                                     : "MultipleArgumentsForOptionException";
}

}  // namespace

int run_kafka_dump_log(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    auto parsed = parser.parse(arguments);
    if (!parsed) {
        say(streams.err, "Exception in thread \"main\" joptsimple.{}: {}\n",
            option_exception(parsed.error().message), parsed.error().message);
        return 1;
    }
    constexpr std::string_view kDescription =
        "This tool helps to parse a log file and dump its contents to the console, useful for "
        "debugging a seemingly corrupt log segment.";
    if (auto done = help_or_version(streams, parser, *parsed, kDescription)) {
        return *done;
    }
    if (auto message = missing_required(*parsed, {"files"})) {
        return usage_error(streams, parser, *message);
    }
    LogDumper logs(streams, *parsed);
    IndexDumper indexes(streams, parsed->has("index-sanity-check"),
                        parsed->has("verify-index-only"));
    auto dump_all = [&]() -> Status {
        std::string files = parsed->value_or("files", "");
        std::string_view rest = files;
        while (!rest.empty()) {
            size_t comma = rest.find(',');
            std::string path(rest.substr(0, comma));
            rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
            say(streams.out, "Dumping {}\n", path);
            std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
            std::string_view suffix = name.substr(std::min(name.rfind('.'), name.size()));
            if (suffix == storage::kLogSuffix || suffix == ".checkpoint") {
                MOLDAU_CHECK(logs.configure(*parsed));
                MOLDAU_CHECK(logs.dump(path, name));
            } else if (suffix == storage::kOffsetIndexSuffix) {
                MOLDAU_CHECK(indexes.dump_offsets(path, name));
            } else if (suffix == storage::kTimeIndexSuffix) {
                MOLDAU_CHECK(indexes.dump_times(path, name));
            } else if (suffix == storage::kSnapshotSuffix) {
                MOLDAU_CHECK(dump_snapshot(path, streams));
            } else if (suffix == storage::kTransactionIndexSuffix) {
                MOLDAU_CHECK(dump_transaction_index(path, name, streams));
            } else {
                say(streams.err, "Ignoring unknown file {}\n", path);
            }
        }
        return {};
    };
    if (auto dumped = dump_all(); !dumped) {
        say(streams.err, "Exception in thread \"main\" {}\n", dumped.error().message);
        return 1;
    }
    indexes.print_findings();
    for (const auto& [path, gaps] : logs.gaps()) {
        say(streams.err, "Non-consecutive offsets in {}\n", path);
        for (const auto& [offset, next] : gaps) {
            say(streams.err, "  {} is followed by {}\n", offset, next);
        }
    }
    return 0;
}

}  // namespace moldau::cli
