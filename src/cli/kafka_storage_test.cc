#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/uuid.h"
#include "cli/test_streams.h"
#include "cli/tools.h"
#include "runtime/file_system.h"

namespace moldau::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

constexpr std::string_view kClusterId = "5L6g3nShT-eMCtK--X86sw";

class KafkaStorage : public ::testing::Test {
 protected:
    KafkaStorage() {
        char name[] = "/tmp/moldau_storage_XXXXXX";
        root_ = ::mkdtemp(name);
        dynamic_ = config("dynamic", "controller.quorum.bootstrap.servers=localhost:9093\n");
        static_ = config("static", "controller.quorum.voters=1@localhost:9093\n");
    }
    ~KafkaStorage() override { (void)runtime::real_file_system().remove_all(root_); }

    std::string config(std::string_view name, std::string_view quorum) {
        std::string path = fmt::format("{}/{}.properties", root_, name);
        std::string text = fmt::format(
            "process.roles=broker,controller\nnode.id=1\n"
            "listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n"
            "controller.listener.names=CONTROLLER\nlog.dirs={}\n{}",
            logs(), quorum);
        EXPECT_TRUE(runtime::real_file_system().replace_file(path, text));
        return path;
    }
    std::string logs() const { return root_ + "/logs"; }
    int run(std::vector<std::string> arguments) {
        TestStreams streams;
        int code = run_kafka_storage(arguments, streams.get());
        out_ = streams.out();
        err_ = streams.err();
        return code;
    }
    int format(const std::string& config, std::vector<std::string> more) {
        std::vector<std::string> arguments = {"format", "-t", std::string(kClusterId), "-c",
                                              config};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run(std::move(arguments));
    }
    std::string file(std::string_view name) {
        auto content = runtime::real_file_system().read_file(fmt::format("{}/{}", logs(), name));
        return content ? std::string(content->view()) : "";
    }
    bool has_voters() {
        return runtime::real_file_system().exists(
            logs() + "/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint");
    }

    std::string root_;
    std::string dynamic_;
    std::string static_;
    std::string out_;
    std::string err_;
};

TEST_F(KafkaStorage, formats_a_standalone_controller_and_says_what_it_wrote) {
    EXPECT_EQ(format(dynamic_, {"--standalone"}), 0);
    EXPECT_THAT(out_, StartsWith("Bootstrap metadata: BootstrapMetadata(records=["
                                 "ApiMessageAndVersion(FeatureLevelRecord(name='metadata.version', "
                                 "featureLevel=30) at version 0), ApiMessageAndVersion("
                                 "FeatureLevelRecord(name='eligible.leader.replicas.version', "
                                 "featureLevel=1) at version 0)"));
    EXPECT_THAT(out_, EndsWith("], metadataVersionLevel=30, source=format command)\n"
                               "Formatting dynamic metadata voter directory " +
                               logs() + " with metadata.version 4.3-IV0.\n"));
    EXPECT_EQ(err_, "");
    EXPECT_TRUE(has_voters());
    EXPECT_THAT(file("meta.properties"),
                MatchesRegex("#\n#[^\n]+\nnode.id=1\ndirectory.id=[^\n]{22}\nversion=1\n"
                             "cluster.id=5L6g3nShT-eMCtK--X86sw\n"));
}

TEST_F(KafkaStorage, takes_any_cluster_id) {
    EXPECT_EQ(run({"format", "-t", "not-a-uuid", "--standalone", "-c", dynamic_}), 0);
    EXPECT_THAT(file("meta.properties"), HasSubstr("cluster.id=not-a-uuid\n"));
}

TEST_F(KafkaStorage, does_not_format_twice_unless_told_to_pass_over) {
    format(dynamic_, {"--standalone"});
    std::string before = file("meta.properties");
    EXPECT_EQ(format(dynamic_, {"--standalone"}), 1);
    EXPECT_EQ(out_, "");
    EXPECT_EQ(err_, "Log directory " + logs() +
                        " is already formatted. Use --ignore-formatted to ignore this directory "
                        "and format the others.\n");
    EXPECT_EQ(format(dynamic_, {"--standalone", "--ignore-formatted"}), 0);
    EXPECT_EQ(out_, "All of the log directories are already formatted.\n");
    EXPECT_EQ(file("meta.properties"), before);
}

TEST_F(KafkaStorage, formats_without_voters_or_with_those_it_is_told) {
    EXPECT_EQ(format(dynamic_, {"--no-initial-controllers"}), 0);
    EXPECT_THAT(out_, HasSubstr("\nFormatting metadata directory " + logs()));
    EXPECT_FALSE(has_voters());
    ASSERT_TRUE(runtime::real_file_system().remove_all(logs()));
    EXPECT_EQ(
        format(dynamic_, {"--initial-controllers", "1@localhost:9093:AAAAAAAAAAEAAAAAAAAAAQ"}), 0);
    EXPECT_THAT(out_, HasSubstr("\nFormatting dynamic metadata voter directory " + logs()));
    EXPECT_THAT(file("meta.properties"), HasSubstr("directory.id=AAAAAAAAAAEAAAAAAAAAAQ\n"));
    EXPECT_TRUE(has_voters());
}

TEST_F(KafkaStorage, wants_to_be_told_about_the_voters_of_a_dynamic_quorum) {
    EXPECT_EQ(format(dynamic_, {}), 1);
    EXPECT_EQ(err_,
              "Because controller.quorum.voters is not set on this controller, you must specify "
              "one of the following: --standalone, --initial-controllers, or "
              "--no-initial-controllers.\n");
    EXPECT_EQ(file("meta.properties"), "");
}

TEST_F(KafkaStorage, static_voters_need_no_flag_and_allow_none) {
    EXPECT_EQ(format(static_, {}), 0);
    EXPECT_THAT(out_, HasSubstr("\nFormatting metadata directory " + logs()));
    ASSERT_TRUE(runtime::real_file_system().remove_all(logs()));
    EXPECT_EQ(format(static_, {"--standalone"}), 1);
    EXPECT_THAT(err_, StartsWith("You cannot specify controller.quorum.voters and format the node "
                                 "with --initial-controllers or --standalone."));
}

TEST_F(KafkaStorage, an_older_release_begins_with_its_features) {
    EXPECT_EQ(format(dynamic_, {"--standalone", "--release-version", "3.9-IV0"}), 0);
    EXPECT_THAT(out_, HasSubstr("metadataVersionLevel=21"));
    EXPECT_THAT(out_, HasSubstr("with metadata.version 3.9-IV0.\n"));
    EXPECT_EQ(format(dynamic_, {"--standalone", "--release-version", "9.9-IV0"}), 1);
    EXPECT_THAT(err_, StartsWith("Unknown metadata.version '9.9-IV0'. Supported metadata.version "
                                 "are: 3.3-IV3, 3.4-IV0, "));
}

TEST_F(KafkaStorage, refuses_features_it_does_not_know_or_cannot_read) {
    EXPECT_EQ(format(dynamic_, {"--standalone", "--feature", "nosuch.version=1"}), 1);
    EXPECT_EQ(err_,
              "Unsupported feature: nosuch.version. Supported features are: "
              "eligible.leader.replicas.version, group.version, kraft.version, share.version, "
              "streams.version, transaction.version\n");
    EXPECT_EQ(format(dynamic_, {"--standalone", "--feature", "group.version"}), 1);
    EXPECT_EQ(err_, "Can't parse feature=level string group.version: equals sign not found.\n");
}

TEST_F(KafkaStorage, a_missing_argument_prints_the_usage_and_exits_1) {
    EXPECT_EQ(run({"format", "-c", dynamic_}), 1);
    EXPECT_EQ(out_, "");
    EXPECT_EQ(err_,
              "usage: kafka-storage format [-h] --config CONFIG --cluster-id CLUSTER_ID\n"
              "                     [--add-scram ADD_SCRAM] [--ignore-formatted]\n"
              "                     [--release-version RELEASE_VERSION]\n"
              "                     [--feature FEATURE] [--standalone |\n"
              "                     --no-initial-controllers |\n"
              "                     --initial-controllers INITIAL_CONTROLLERS]\n"
              "kafka-storage: error: argument --cluster-id/-t is required\n");
    EXPECT_EQ(run({}), 1);
    EXPECT_EQ(err_,
              "usage: kafka-storage [-h]\n"
              "                     "
              "{info,format,version-mapping,feature-dependencies,random-uuid}\n"
              "                     ...\n"
              "kafka-storage: error: too few arguments\n");
}

TEST_F(KafkaStorage, a_missing_configuration_is_javas_exception) {
    EXPECT_EQ(format(root_ + "/nosuch.properties", {"--standalone"}), 1);
    EXPECT_THAT(err_, StartsWith("Exception in thread \"main\" "
                                 "java.nio.file.NoSuchFileException: " +
                                 root_ + "/nosuch.properties\n"));
}

TEST_F(KafkaStorage, info_tells_what_is_there) {
    EXPECT_EQ(run({"info", "-c", dynamic_}), 1);
    EXPECT_EQ(out_, "Found problem:\n  " + logs() + " does not exist\n\n");
    format(dynamic_, {"--standalone"});
    EXPECT_EQ(run({"info", "-c", dynamic_}), 0);
    EXPECT_THAT(out_, MatchesRegex("Found log directory:\n  " + logs() +
                                   "\n\nFound metadata: \\{cluster.id=5L6g3nShT-eMCtK--X86sw, "
                                   "directory.id=[^,]{22}, node.id=1, version=1\\}\n\n"));
}

TEST_F(KafkaStorage, answers_about_versions_and_draws_ids) {
    EXPECT_EQ(run({"version-mapping", "--release-version", "3.9-IV0"}), 0);
    EXPECT_THAT(out_, StartsWith("metadata.version=21 (3.9-IV0)\nkraft.version=1\n"));
    EXPECT_EQ(run({"feature-dependencies", "--feature", "group.version=1"}), 0);
    EXPECT_EQ(out_, "group.version=1 has no dependencies.\n");
    EXPECT_EQ(run({"random-uuid"}), 0);
    EXPECT_TRUE(Uuid::parse(out_.substr(0, out_.size() - 1)).has_value());
}

}  // namespace
}  // namespace moldau::cli
