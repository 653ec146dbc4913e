// The five verbs of tests about a Log: open, append, values, crash_and_reopen, close_and_reopen.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/endian.h"
#include "record/builder.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "storage/file_cache.h"
#include "storage/log.h"

namespace moldau::storage {

class LogFixture : public ::testing::Test {
 protected:
    LogFixture() {
        char name[] = "/tmp/moldau_storage_XXXXXX";
        root_ = ::mkdtemp(name);
        dir_ = root_ + "/orders-0";
        use(runtime::real_file_system());
        // Tests of damage would fill the screen with what they caused.
        runtime::set_log_level("root", runtime::LogLevel::Off);
    }
    ~LogFixture() override {
        log_.reset();
        (void)runtime::real_file_system().remove_all(root_);
    }

    void use(runtime::FileSystem& files) {
        log_.reset();
        files_ = &files;
        cache_ = std::make_unique<FileCache>(files, 3);
    }
    void open() { reopen(false); }
    Status try_open(bool clean) {
        log_.reset();
        LogOptions options;
        options.dir = dir_;
        options.topic_partition = {"orders", 0};
        options.config = std::make_shared<const config::LogConfig>(config_);
        options.recovery_point = options_recovery_point_;
        options.clean_shutdown = clean;
        MOLDAU_TRY(log_,
                   Log::open({cache_.get(), [this](const Error&) { ++failures_; }}, options, now_));
        return {};
    }
    void reopen(bool clean) {
        auto opened = try_open(clean);
        ASSERT_TRUE(opened) << opened.error().message;
    }
    void close_and_reopen() {
        auto closed = log_->close();
        ASSERT_TRUE(closed) << closed.error().message;
        reopen(true);
    }
    void crash_and_reopen() { reopen(false); }
    void fresh() {
        log_.reset();
        ASSERT_TRUE(files_->remove_all(dir_));
    }
    void apply_config() { log_->set_config(std::make_shared<const config::LogConfig>(config_)); }

    Bytes batch(const std::vector<std::string>& values, record::BatchOptions options = {},
                std::optional<TimestampMs> timestamp = std::nullopt) {
        record::BatchBuilder builder(options);
        for (const std::string& value : values) {
            builder.append(timestamp.value_or(now_), std::nullopt, value);
        }
        return builder.build();
    }
    AppendResult append(const std::vector<std::string>& values,
                        LeaderEpoch epoch = LeaderEpoch(0)) {
        auto appended = log_->append_as_leader(batch(values), {.leader_epoch = epoch}, now_);
        EXPECT_TRUE(appended) << appended.error().error.message;
        return appended ? *appended : AppendResult{};
    }
    void append_at_time(const std::string& value, TimestampMs timestamp) {
        auto appended = log_->append_as_leader(batch({value}, {}, timestamp),
                                               {.leader_epoch = LeaderEpoch(0)}, now_);
        ASSERT_TRUE(appended) << appended.error().error.message;
    }
    std::expected<AppendResult, AppendError> produce(int64_t producer, int16_t epoch,
                                                     int32_t sequence,
                                                     const std::vector<std::string>& values,
                                                     bool transactional = false,
                                                     bool verified = true) {
        record::BatchOptions options;
        options.producer_id = producer;
        options.producer_epoch = epoch;
        options.base_sequence = sequence;
        options.transactional = transactional;
        return log_->append_as_leader(
            batch(values, options),
            {.leader_epoch = LeaderEpoch(0), .transaction_verified = verified}, now_);
    }
    std::expected<AppendResult, AppendError> end_transaction(int64_t producer, int16_t epoch,
                                                             bool commit) {
        record::BatchOptions options;
        options.producer_id = producer;
        options.producer_epoch = epoch;
        options.transactional = true;
        options.control = true;
        record::BatchBuilder builder(options);
        auto key =
            record::control_key(commit ? record::ControlType::Commit : record::ControlType::Abort);
        uint8_t value[6] = {0, 0, 0, 0, 0, 1};
        builder.append(now_,
                       std::string_view(reinterpret_cast<const char*>(key.data()), key.size()),
                       std::string_view(reinterpret_cast<const char*>(value), sizeof(value)));
        return log_->append_as_leader(
            builder.build(),
            {.leader_epoch = LeaderEpoch(0), .origin = record::AppendOrigin::Coordinator}, now_);
    }

    // Values of all data records from `start` on, as a reader gets them.
    std::vector<std::string> values(Offset start, ReadBound bound = ReadBound::LogEnd) {
        std::vector<std::string> found;
        while (true) {
            auto read = log_->read(start, 1 << 20, bound, true);
            EXPECT_TRUE(read) << read.error().message;
            if (!read || read->records.empty()) {
                return found;
            }
            record::BatchIterator batches(read->records);
            while (true) {
                auto batch = batches.next();
                EXPECT_TRUE(batch);
                if (!batch || !*batch) {
                    break;
                }
                EXPECT_TRUE((*batch)->check_crc());
                Bytes payload = *(*batch)->uncompressed_payload();
                record::RecordReader reader((*batch)->header(), payload);
                while (reader.next()) {
                    if (reader.record().offset >= start && !(*batch)->header().is_control()) {
                        found.emplace_back(reader.record().value.value_or("<null>"));
                    }
                }
                start = (*batch)->header().next_offset();
            }
        }
    }

    std::string path(std::string_view name) const { return dir_ + "/" + std::string(name); }
    void write_file(std::string_view name, const Bytes& content) {
        auto file = files_->open(path(name), runtime::OpenMode::Create);
        ASSERT_TRUE(file);
        ASSERT_TRUE((*file)->truncate(0));
        ASSERT_TRUE((*file)->write(content.span(), 0));
    }
    void truncate_file(std::string_view name, uint64_t size) {
        auto file = files_->open(path(name), runtime::OpenMode::ReadWrite);
        ASSERT_TRUE(file);
        ASSERT_TRUE((*file)->truncate(size));
    }

    std::string root_;
    std::string dir_;
    runtime::FileSystem* files_ = nullptr;
    std::unique_ptr<FileCache> cache_;
    config::LogConfig config_;
    TimestampMs now_ = 1'700'000'000'000;
    Offset options_recovery_point_{0};
    std::unique_ptr<Log> log_;
    int failures_ = 0;
};

}  // namespace moldau::storage
