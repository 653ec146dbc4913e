// kafka-storage: format and inspect storage directories.
#include "cli/argument_parser.h"
#include "cli/text.h"
#include "cli/tools.h"
#include "config/properties.h"
#include "config/server_config.h"
#include "metadata/features.h"
#include "quorum/storage_formatter.h"
#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/file_system.h"

namespace moldau::cli {
namespace {

using enum ArgumentKind;

constexpr ArgumentSpec kInfoArguments[] = {
    {"--config", "-c", Value, "The Kafka configuration file to use.", true},
};
constexpr ArgumentSpec kFormatArguments[] = {
    {"--config", "-c", Value, "The Kafka configuration file to use.", true},
    {"--cluster-id", "-t", Value, "The cluster ID to use.", true},
    {"--add-scram", "-S", Append,
     "A SCRAM credential to begin with, e.g. 'SCRAM-SHA-256=[name=alice,password=alice-secret]' or "
     "'SCRAM-SHA-512=[name=alice,iterations=8192,salt=\"N3E=\",saltedpassword=\"YCE=\"]'"},
    {"--ignore-formatted", "-g", Flag,
     "Skip directories that are formatted already instead of failing."},
    {"--release-version", "-r", Value,
     "The release whose feature levels to begin with. The minimum is 3.3-IV3; the default is "
     "4.3-IV0"},
    {"--feature", "-f", Append,
     "The level of one feature, in feature=level form. For example: `kraft.version=1`."},
    {"--standalone", "-s", Flag,
     "Make this controller the only voter of a dynamic quorum. controller.quorum.voters must not "
     "be set.",
     false, "", "", 1},
    {"--no-initial-controllers", "-N", Flag,
     "Format without naming voters; the node joins a dynamic quorum later.", false, "", "", 1},
    {"--initial-controllers", "-I", Value,
     "The first voters of a dynamic quorum: a comma-separated list of id@hostname:port:directory, "
     "the same on all of them. For example: "
     "0@example.com:8082:JEXY6aqzQY-32P5TStzaFg,1@example.com:8083:MvDxzVmcRsaTz33bUuRU6A",
     false, "", "", 1},
};
constexpr ArgumentSpec kMappingArguments[] = {
    {"--release-version", "-r", Value,
     "The release to look up. The minimum is 3.3-IV3; the default is 4.3-IV0"},
};
constexpr ArgumentSpec kDependencyArguments[] = {
    {"--feature", "-f", Append,
     "A feature and its level, in feature=version form; may be repeated. For example: "
     "`metadata.version=5`.",
     true},
};
constexpr CommandSpec kCommands[] = {
    {"info", "Get information about the Kafka log directories on this node.", kInfoArguments},
    {"format", "Format the Kafka log directories on this node.", kFormatArguments},
    {"version-mapping",
     "Look up the feature levels of a metadata version; without --release-version, of the latest "
     "stable one.",
     kMappingArguments},
    {"feature-dependencies", "Look up what a feature version depends on.", kDependencyArguments},
    {"random-uuid", "Print a random UUID.", {}},
};

int complain(Streams& streams, std::string_view message) {
    say(streams.err, "{}\n", message);
    return 1;
}

Result<config::ServerConfig> load_config(const std::string& path) {
    if (!runtime::real_file_system().exists(path)) {
        return fail(ErrorCode::InvalidConfig,
                    "Exception in thread \"main\" java.nio.file.NoSuchFileException: {}", path);
    }
    MOLDAU_TRY(config::ConfigMap properties, config::read_properties_file(path));
    return config::ServerConfig::load(properties);
}

Result<std::pair<std::string, int16_t>> parse_name_and_level(const std::string& text) {
    size_t equals = text.find('=');
    if (equals == std::string::npos) {
        return fail(ErrorCode::InvalidConfig,
                    "Can't parse feature=level string {}: equals sign not found.", text);
    }
    std::string_view level_text = trim(std::string_view(text).substr(equals + 1));
    std::optional<int16_t> level = parse_number<int16_t>(level_text);
    if (!level) {
        return fail(ErrorCode::InvalidConfig,
                    "Can't parse feature=level string {}: unable to parse {} as a short.", text,
                    level_text);
    }
    return std::pair(std::string(trim(std::string_view(text).substr(0, equals))), *level);
}

Result<quorum::FormatOptions> format_options(const ParsedArguments& parsed,
                                             const config::ServerConfig& config) {
    quorum::FormatOptions options = quorum::format_options_of(config);
    options.cluster_id = parsed.value_or("--cluster-id", "");
    options.ignore_formatted = parsed.has("--ignore-formatted");
    options.scram_arguments = parsed.values("--add-scram");
    if (std::optional<std::string> release = parsed.value("--release-version")) {
        MOLDAU_TRY(options.metadata_version, metadata::parse_metadata_version(*release));
    }
    for (const std::string& feature : parsed.values("--feature")) {
        MOLDAU_TRY(auto name_and_level, parse_name_and_level(feature));
        options.feature_levels.insert_or_assign(name_and_level.first, name_and_level.second);
    }
    std::optional<std::string> controllers = parsed.value("--initial-controllers");
    bool is_standalone = parsed.has("--standalone");
    if (options.has_static_voters && (controllers || is_standalone)) {
        return fail(ErrorCode::InvalidConfig,
                    "You cannot specify controller.quorum.voters and format the node with "
                    "--initial-controllers or --standalone. If you want to use dynamic quorum, "
                    "please remove controller.quorum.voters and specify "
                    "controller.quorum.bootstrap.servers instead.");
    }
    if (controllers) {
        MOLDAU_TRY(options.initial_voters,
                   quorum::parse_initial_controllers(*controllers, options.controller_listener));
    } else if (is_standalone) {
        MOLDAU_TRY(options.initial_voters,
                   quorum::standalone_voter(config, runtime::system_entropy()));
    } else if (!parsed.has("--no-initial-controllers") && config.is_controller() &&
               !options.has_static_voters) {
        return fail(ErrorCode::InvalidConfig,
                    "Because controller.quorum.voters is not set on this controller, you must "
                    "specify one of the following: --standalone, --initial-controllers, or "
                    "--no-initial-controllers.");
    }
    return options;
}

int format(const ParsedArguments& parsed, Streams& streams) {
    Result<config::ServerConfig> config = load_config(parsed.value_or("--config", ""));
    if (!config) {
        return complain(streams, config.error().message);
    }
    Result<quorum::FormatOptions> options = format_options(parsed, *config);
    if (!options) {
        return complain(streams, options.error().message);
    }
    std::string out;
    Status formatted =
        quorum::format_storage(runtime::real_file_system(), *options, runtime::system_entropy(),
                               runtime::system_clock().wall_ms(), out);
    say(streams.out, "{}", out);
    return formatted ? 0 : complain(streams, formatted.error().message);
}

int info(const ParsedArguments& parsed, Streams& streams) {
    Result<config::ServerConfig> config = load_config(parsed.value_or("--config", ""));
    if (!config) {
        return complain(streams, config.error().message);
    }
    std::string out;
    bool is_fine = quorum::describe_storage(runtime::real_file_system(),
                                            quorum::format_options_of(*config).directories, out);
    say(streams.out, "{}", out);
    return is_fine ? 0 : 1;
}

int version_mapping(const ParsedArguments& parsed, Streams& streams) {
    std::string release = parsed.value_or(
        "--release-version", metadata::metadata_version_name(metadata::kMetadataVersionLatest));
    Result<int16_t> level = metadata::parse_metadata_version(release);
    if (!level) {
        return complain(streams, level.error().message);
    }
    say(streams.out, "metadata.version={} ({})\n", *level, release);
    for (const metadata::FeatureInfo& feature : metadata::feature_table()) {
        say(streams.out, "{}={}\n", feature.name,
            metadata::kafka_default_feature_level(feature, *level));
    }
    return 0;
}

int dependencies_of(const std::string& argument, Streams& streams) {
    size_t equals = argument.find('=');
    if (equals == std::string::npos) {
        return complain(streams, fmt::format("Invalid feature format: {}. Expected format: "
                                             "'feature=version' (e.g. 'group.version=1')",
                                             argument));
    }
    std::string_view name = trim(std::string_view(argument).substr(0, equals));
    std::string_view level_text = trim(std::string_view(argument).substr(equals + 1));
    std::optional<int16_t> level = parse_number<int16_t>(level_text);
    if (!level) {
        return complain(streams,
                        fmt::format("Invalid version format: {} for feature {}", level_text, name));
    }
    if (name == metadata::kMetadataVersionFeature) {
        const metadata::MetadataVersion* version = metadata::find_metadata_version(*level);
        if (version == nullptr) {
            return complain(streams, fmt::format("Unknown metadata.version {}", *level));
        }
        say(streams.out, "{}={} ({}) has no dependencies.\n", name, *level, version->name);
        return 0;
    }
    const metadata::FeatureInfo* feature = metadata::find_feature(name);
    if (feature == nullptr) {
        return complain(streams, fmt::format("Unknown feature: {}", name));
    }
    auto found = std::ranges::find(feature->levels, *level, &metadata::FeatureLevel::level);
    bool is_known = *level == 0 || found != feature->levels.end();
    if (!is_known) {
        return complain(
            streams, fmt::format("Feature level {} is not supported for feature {}", *level, name));
    }
    int16_t needed = *level == 0 ? int16_t{0} : found->metadata_version_needed;
    if (needed == 0) {
        say(streams.out, "{}={} has no dependencies.\n", name, *level);
        return 0;
    }
    say(streams.out, "{}={} requires:\n    metadata.version={} ({})\n", name, *level, needed,
        metadata::metadata_version_name(needed));
    return 0;
}

int feature_dependencies(const ParsedArguments& parsed, Streams& streams) {
    for (const std::string& argument : parsed.values("--feature")) {
        if (int code = dependencies_of(argument, streams); code != 0) {
            return code;
        }
    }
    return 0;
}

}  // namespace

int run_kafka_storage(Arguments arguments, Streams& streams) {
    ArgumentParser parser("kafka-storage", "The Kafka storage tool.", {}, kCommands);
    std::expected<ParsedArguments, int> parsed = parser.parse(arguments, streams);
    if (!parsed) {
        return parsed.error();
    }
    if (parsed->command() == "format") {
        return format(*parsed, streams);
    }
    if (parsed->command() == "info") {
        return info(*parsed, streams);
    }
    if (parsed->command() == "version-mapping") {
        return version_mapping(*parsed, streams);
    }
    if (parsed->command() == "feature-dependencies") {
        return feature_dependencies(*parsed, streams);
    }
    say(streams.out, "{}\n", runtime::system_entropy().uuid());
    return 0;
}

}  // namespace moldau::cli
