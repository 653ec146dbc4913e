#include "quorum/storage_formatter.h"

#include <charconv>

#include "config/properties.h"
#include "metadata/features.h"
#include "quorum/bootstrap_metadata.h"
#include "quorum/metadata_log.h"
#include "quorum/scram_argument.h"
#include "quorum/snapshot_file.h"
#include "runtime/entropy.h"
#include "runtime/file_system.h"
#include "storage/meta_properties.h"

namespace moldau::quorum {

namespace {

std::unexpected<Error> refused(std::string message) {
    return fail(Error{ErrorCode::InvalidConfig, std::move(message)});
}

std::string_view trim(std::string_view text) {
    size_t from = text.find_first_not_of(" \t\r\n");
    return from == std::string_view::npos
               ? std::string_view()
               : text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

std::optional<int32_t> parse_int(std::string_view text) {
    int32_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool is_whole = error == std::errc() && end == text.data() + text.size() && !text.empty();
    return is_whole ? std::optional(number) : std::nullopt;
}

Result<consensus::Voter> parse_voter(std::string_view text, std::string_view listener) {
    text = trim(text);
    size_t at = text.find('@');
    if (at == std::string_view::npos) {
        return refused("No @ found in dynamic voter string.");
    }
    if (at == 0) {
        return refused("Invalid @ at beginning of dynamic voter string.");
    }
    std::optional<int32_t> id = parse_int(text.substr(0, at));
    if (!id) {
        return refused("Failed to parse node id in dynamic voter string.");
    }
    if (*id < 0) {
        return refused(fmt::format("Invalid negative node id {} in dynamic voter string.", *id));
    }
    text = text.substr(at + 1);
    if (text.empty()) {
        return refused("No hostname found after node id.");
    }
    std::string_view host;
    if (text.starts_with('[')) {
        size_t bracket = text.find(']');
        if (bracket == std::string_view::npos) {
            return refused("Hostname began with left bracket, but no right bracket was found.");
        }
        host = text.substr(1, bracket - 1);
        text = text.substr(bracket + 1);
    } else {
        size_t colon = text.find(':');
        if (colon == std::string_view::npos) {
            return refused("No colon following hostname could be found.");
        }
        host = text.substr(0, colon);
        text = text.substr(colon);
    }
    if (!text.starts_with(':')) {
        return refused("Port section must start with a colon.");
    }
    text = text.substr(1);
    size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
        return refused("No colon following port could be found.");
    }
    std::optional<int32_t> port = parse_int(text.substr(0, colon));
    if (!port) {
        return refused("Failed to parse port in dynamic voter string.");
    }
    if (*port < 0 || *port > 65535) {
        return refused(fmt::format("Invalid port {} in dynamic voter string.", *port));
    }
    Result<Uuid> directory = Uuid::parse(text.substr(colon + 1));
    if (!directory) {
        return refused("Failed to parse directory ID in dynamic voter string.");
    }
    consensus::Voter voter;
    voter.key = {BrokerId(*id), *directory};
    voter.endpoints.push_back(
        {std::string(listener), std::string(host), static_cast<uint16_t>(*port)});
    return voter;
}

// metadata.version and every feature, by name.
using Levels = std::map<std::string, int16_t, std::less<>>;

Result<int16_t> effective_metadata_version(const FormatOptions& options) {
    int16_t level = options.metadata_version.value_or(metadata::kMetadataVersionLatest);
    auto by_feature = options.feature_levels.find(std::string(metadata::kMetadataVersionFeature));
    if (by_feature != options.feature_levels.end()) {
        if (options.metadata_version) {
            return refused(
                "Use --release-version instead of --feature metadata.version=X to avoid "
                "ambiguity.");
        }
        level = by_feature->second;
    }
    const metadata::MetadataVersion* version = metadata::find_metadata_version(level);
    if (version == nullptr) {
        return refused(
            fmt::format("No MetadataVersion with feature level {}. Valid feature levels "
                        "are from {} to {}.",
                        level, metadata::kMetadataVersionMin, metadata::kMetadataVersionLatest));
    }
    if (!version->production) {
        return refused(fmt::format("metadata.version {} is not yet stable.", version->name));
    }
    return level;
}

Result<int16_t> effective_kraft_version(const FormatOptions& options) {
    auto configured = options.feature_levels.find(std::string(metadata::kKraftVersionFeature));
    if (configured == options.feature_levels.end()) {
        return options.has_static_voters ? int16_t{0} : int16_t{1};
    }
    int16_t level = configured->second;
    if (level == 0 && !options.has_static_voters) {
        return refused(
            "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the "
            "flags --standalone, --initial-controllers, or --no-initial-controllers is used. For "
            "dynamic controllers support, try removing the --feature flag for kraft.version.");
    }
    if (level != 0 && options.has_static_voters) {
        return refused(fmt::format(
            "Cannot set kraft.version to {} unless controller.quorum.voters is empty and one of "
            "the flags --standalone, --initial-controllers, or --no-initial-controllers is used. "
            "For dynamic controllers support, try using one of --standalone, "
            "--initial-controllers, or --no-initial-controllers and removing "
            "controller.quorum.voters.",
            level));
    }
    return level;
}

Status check_level(const metadata::FeatureInfo& feature, int16_t level, int16_t metadata_version) {
    auto found = std::ranges::find(feature.levels, level, &metadata::FeatureLevel::level);
    if (level == 0) {
        return {};
    }
    if (found == feature.levels.end()) {
        return refused(fmt::format("No feature:{} with feature level {}", feature.name, level));
    }
    // Finalizing what nobody here keeps would promise clients behaviour that does not come.
    if (level > feature.supported_max) {
        return refused(fmt::format(
            "{} level {} is not available in this version of Moldau: the highest level is {}.",
            feature.name, level, feature.supported_max));
    }
    if (found->metadata_version_needed > metadata_version) {
        return refused(
            fmt::format("{} could not be set to {} because it depends on metadata.version level {}",
                        feature.name, level, found->metadata_version_needed));
    }
    return {};
}

Result<Levels> effective_levels(const FormatOptions& options, int16_t metadata_version) {
    Levels levels;
    for (const auto& [name, level] : options.feature_levels) {
        if (name != metadata::kMetadataVersionFeature && metadata::find_feature(name) == nullptr) {
            std::set<std::string_view> known;
            for (const metadata::FeatureInfo& feature : metadata::feature_table()) {
                known.insert(feature.name);
            }
            return refused(fmt::format("Unsupported feature: {}. Supported features are: {}", name,
                                       fmt::join(known, ", ")));
        }
        levels[name] = level;
    }
    levels[std::string(metadata::kMetadataVersionFeature)] = metadata_version;
    MOLDAU_TRY(levels[std::string(metadata::kKraftVersionFeature)],
               effective_kraft_version(options));
    for (const metadata::FeatureInfo& feature : metadata::feature_table()) {
        auto [at, is_new] = levels.try_emplace(std::string(feature.name));
        if (is_new) {
            at->second = metadata::default_feature_level(feature, metadata_version);
        }
        MOLDAU_CHECK(check_level(feature, at->second, metadata_version));
    }
    return levels;
}

metadata::VersionedRecord feature_record(std::string_view name, int16_t level) {
    protocol::FeatureLevelRecord record;
    record.name = name;
    record.feature_level = level;
    return {record, 0};
}

// As Kafka prints a byte array.
std::string signed_bytes(const Bytes& bytes) {
    std::vector<int> numbers;
    for (uint8_t byte : bytes.span()) {
        numbers.push_back(static_cast<int8_t>(byte));
    }
    return fmt::format("[{}]", fmt::join(numbers, ", "));
}

std::string describe(const metadata::VersionedRecord& record) {
    std::string text;
    if (auto* feature = std::get_if<protocol::FeatureLevelRecord>(&record.record)) {
        text = fmt::format("FeatureLevelRecord(name='{}', featureLevel={})", feature->name,
                           feature->feature_level);
    } else if (auto* scram = std::get_if<protocol::UserScramCredentialRecord>(&record.record)) {
        text = fmt::format(
            "UserScramCredentialRecord(name='{}', mechanism={}, salt={}, storedKey={}, "
            "serverKey={}, iterations={})",
            scram->name, scram->mechanism, signed_bytes(scram->salt),
            signed_bytes(scram->stored_key), signed_bytes(scram->server_key), scram->iterations);
    }
    return fmt::format("ApiMessageAndVersion({} at version {})", text, record.version);
}

struct Found {
    std::map<std::string, storage::MetaProperties> formatted;
    std::vector<std::string> blank;
    std::vector<std::string> unreadable;
};

Result<Found> look_at(runtime::FileSystem& files, const FormatOptions& options) {
    Found found;
    std::map<Uuid, std::string> seen;
    for (const std::string& dir : options.directories) {
        std::string path = runtime::join_path(dir, storage::kMetaProperties);
        Result<std::optional<storage::MetaProperties>> read =
            storage::read_meta_properties(files, dir);
        if (!read) {
            found.unreadable.push_back(dir);
            continue;
        }
        if (!*read) {
            found.blank.push_back(dir);
            continue;
        }
        const storage::MetaProperties& properties = **read;
        if (properties.cluster_id && *properties.cluster_id != options.cluster_id) {
            return refused(fmt::format("Invalid cluster.id in: {}. Expected {}, but read {}", path,
                                       options.cluster_id, *properties.cluster_id));
        }
        if (properties.node_id && *properties.node_id != options.node_id) {
            return refused(fmt::format(
                "Stored node id {} doesn't match previous node id {} in {}. If you moved your "
                "data, make sure your configured node id matches. If you intend to create a new "
                "node, you should remove all data in your data directories.",
                *properties.node_id, options.node_id, path));
        }
        if (properties.directory_id) {
            auto [at, is_new] = seen.emplace(*properties.directory_id, dir);
            if (!is_new) {
                return refused(
                    fmt::format("Duplicate directory ID {} found. It was the ID of {}, "
                                "but also of {}",
                                *properties.directory_id, at->second, dir));
            }
        }
        found.formatted.emplace(dir, properties);
    }
    return found;
}

Status write_directory(runtime::FileSystem& files, const FormatOptions& options,
                       const std::string& dir,
                       const std::vector<metadata::VersionedRecord>& records, int16_t kraft_version,
                       const Uuid& directory_id, TimestampMs now) {
    MOLDAU_CHECK(files.create_directories(dir));
    MOLDAU_CHECK(write_bootstrap_metadata(files, dir, records, now));
    if (dir == options.metadata_log_dir && options.initial_voters) {
        SnapshotFileOptions snapshot;
        snapshot.dir = runtime::join_path(dir, kMetadataPartitionDirectory);
        snapshot.name = snapshot_file_name(consensus::kBootstrapSnapshotId);
        snapshot.id = consensus::kBootstrapSnapshotId;
        snapshot.last_contained_log_timestamp = now;
        snapshot.kraft_version = kraft_version;
        snapshot.voters = options.initial_voters;
        snapshot.now = now;
        MOLDAU_CHECK(files.create_directories(snapshot.dir));
        MOLDAU_TRY(auto writer, SnapshotFileWriter::create(files, std::move(snapshot)));
        MOLDAU_CHECK(writer->freeze());
        MOLDAU_CHECK(files.sync_directory(dir));
    }
    storage::MetaProperties properties;
    properties.cluster_id = options.cluster_id;
    properties.node_id = options.node_id;
    properties.directory_id = directory_id;
    MOLDAU_CHECK(storage::write_meta_properties(files, dir, properties, now));
    return files.sync_directory(runtime::parent_path(dir));
}

}  // namespace

FormatOptions format_options_of(const config::ServerConfig& config) {
    FormatOptions options;
    options.node_id = BrokerId(config.node_id());
    for (std::string& dir : config.log_dirs()) {
        options.directories.insert(std::move(dir));
    }
    options.metadata_log_dir = config.metadata_log_dir();
    options.directories.insert(options.metadata_log_dir);
    std::vector<std::string> listeners = config.controller_listener_names();
    if (!listeners.empty()) {
        options.controller_listener = listeners.front();
    }
    options.has_static_voters = !config.quorum_voters().empty();
    return options;
}

Result<consensus::VoterSet> parse_initial_controllers(std::string_view text,
                                                      std::string_view listener) {
    std::vector<consensus::Voter> voters;
    std::set<BrokerId> ids;
    text = trim(text);
    while (!text.empty()) {
        size_t comma = text.find(',');
        std::string_view one = text.substr(0, comma);
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
        if (one.empty()) {
            continue;
        }
        MOLDAU_TRY(consensus::Voter voter, parse_voter(one, listener));
        if (!ids.insert(voter.key.id).second) {
            return refused(fmt::format("Node id {} was specified more than once.", voter.key.id));
        }
        voters.push_back(std::move(voter));
    }
    if (voters.empty()) {
        return refused("No voters given.");
    }
    return consensus::VoterSet(std::move(voters));
}

Result<consensus::VoterSet> standalone_voter(const config::ServerConfig& config,
                                             runtime::Entropy& entropy) {
    if (!config.is_controller()) {
        return refused("You can only use --standalone on a controller.");
    }
    const std::vector<config::Endpoint>& endpoints = config.advertised_controller_listeners();
    if (endpoints.empty()) {
        return refused("No controller listeners found.");
    }
    const config::Endpoint& endpoint = endpoints.front();
    consensus::Voter voter;
    voter.key = {BrokerId(config.node_id()), entropy.uuid()};
    voter.endpoints.push_back({config.controller_listener_names().front(),
                               endpoint.host.empty() ? "localhost" : endpoint.host,
                               static_cast<uint16_t>(endpoint.port)});
    return consensus::VoterSet({voter});
}

Status format_storage(runtime::FileSystem& files, const FormatOptions& options,
                      runtime::Entropy& entropy, TimestampMs now, std::string& out) {
    if (options.node_id < BrokerId(0)) {
        return refused("You must specify a valid non-negative node ID.");
    }
    if (options.cluster_id.empty()) {
        return refused("You must specify the cluster id.");
    }
    MOLDAU_TRY(int16_t metadata_version, effective_metadata_version(options));
    MOLDAU_TRY(Levels levels, effective_levels(options, metadata_version));
    std::vector<metadata::VersionedRecord> records;
    records.push_back(feature_record(metadata::kMetadataVersionFeature, metadata_version));
    for (const auto& [name, level] : levels) {
        bool is_recorded = level > 0 && name != metadata::kMetadataVersionFeature &&
                           name != metadata::kKraftVersionFeature;
        if (is_recorded) {
            records.push_back(feature_record(name, level));
        }
    }
    if (!options.scram_arguments.empty() && !metadata::is_scram_supported(metadata_version)) {
        return refused("SCRAM is only supported in metadata.version 3.5-IV2 or later.");
    }
    for (const std::string& argument : options.scram_arguments) {
        MOLDAU_TRY(auto credential, parse_scram_argument(argument, entropy));
        records.push_back({credential, 0});
    }

    MOLDAU_TRY(Found found, look_at(files, options));
    if (!options.ignore_formatted && !found.formatted.empty()) {
        return refused(
            fmt::format("Log directory {} is already formatted. Use --ignore-formatted to ignore "
                        "this directory and format the others.",
                        found.formatted.begin()->first));
    }
    for (const std::string& dir : found.unreadable) {
        out += fmt::format("I/O error trying to read log directory {}. Ignoring...\n", dir);
    }
    if (found.blank.empty()) {
        if (found.formatted.empty()) {
            return refused("No available log directories to format.");
        }
        out += "All of the log directories are already formatted.\n";
        return {};
    }

    std::vector<std::string> described;
    for (const metadata::VersionedRecord& record : records) {
        described.push_back(describe(record));
    }
    out += fmt::format(
        "Bootstrap metadata: BootstrapMetadata(records=[{}], metadataVersionLevel={}, "
        "source=format command)\n",
        fmt::join(described, ", "), metadata_version);
    for (const std::string& dir : found.blank) {
        const consensus::Voter* self =
            options.initial_voters ? options.initial_voters->find(options.node_id) : nullptr;
        bool is_metadata = dir == options.metadata_log_dir;
        std::string_view kind = !is_metadata              ? "data directory"
                                : !options.initial_voters ? "metadata directory"
                                : self == nullptr         ? "dynamic metadata directory"
                                                          : "dynamic metadata voter directory";
        out += fmt::format("Formatting {} {} with metadata.version {}.\n", kind, dir,
                           metadata::metadata_version_name(metadata_version));
        Uuid directory_id = is_metadata && self != nullptr ? self->key.directory : entropy.uuid();
        Status written =
            write_directory(files, options, dir, records,
                            levels[std::string(metadata::kKraftVersionFeature)], directory_id, now);
        if (!written) {
            return fail(ErrorCode::KafkaStorageError,
                        "Error while writing meta.properties file {}: {}", dir,
                        written.error().message);
        }
    }
    return {};
}

bool describe_storage(runtime::FileSystem& files, const std::set<std::string>& directories,
                      std::string& out) {
    std::vector<std::string> problems;
    std::vector<std::string> present;
    std::optional<storage::MetaProperties> first;
    for (const std::string& dir : directories) {
        Result<runtime::FileInfo> info = files.stat(dir);
        if (!info) {
            problems.push_back(dir + " does not exist");
            continue;
        }
        if (!info->is_directory) {
            problems.push_back(dir + " is not a directory");
            continue;
        }
        present.push_back(dir);
        Result<std::optional<storage::MetaProperties>> read =
            storage::read_meta_properties(files, dir);
        if (!read) {
            problems.push_back(fmt::format("Error loading {}: {}",
                                           runtime::join_path(dir, storage::kMetaProperties),
                                           read.error().message));
        } else if (!*read) {
            problems.push_back(dir + " is not formatted.");
        } else if (!first) {
            first = **read;
        } else if (first->cluster_id != (*read)->cluster_id) {
            problems.push_back("Mismatched cluster IDs between storage directories.");
        } else if (first->node_id != (*read)->node_id) {
            problems.push_back("Mismatched node IDs between storage directories.");
        }
    }
    if (first && first->version == 0) {
        problems.push_back(
            "The kafka configuration file appears to be for a cluster in KRaft mode, but the "
            "directories are formatted for legacy mode.");
    }
    if (directories.empty()) {
        out += "No directories specified.\n";
        return true;
    }
    if (!present.empty()) {
        out += present.size() == 1 ? "Found log directory:\n" : "Found log directories:\n";
        out += fmt::format("  {}\n\n", fmt::join(present, "\n  "));
    }
    if (first) {
        std::vector<std::string> shown;
        for (const auto& [key, value] : first->entries()) {
            shown.push_back(key + "=" + value);
        }
        std::ranges::sort(shown);
        out += fmt::format("Found metadata: {{{}}}\n\n", fmt::join(shown, ", "));
    }
    if (!problems.empty()) {
        out += problems.size() == 1 ? "Found problem:\n" : "Found problems:\n";
        out += fmt::format("  {}\n\n", fmt::join(problems, "\n  "));
    }
    return problems.empty();
}

}  // namespace moldau::quorum
