#include "controller/placement.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

namespace moldau::controller {

namespace {

template <typename T>
void shuffle(std::vector<T>& items, const Draw& draw) {
    for (size_t i = items.size(); i > 1; --i) {
        std::swap(items[i - 1], items[draw() % i]);
    }
}

// Brokers that take turns: round n starts one further than round n-1, and each is given once a
// round.
class Rotation {
 public:
    void add(int32_t broker) { brokers_.push_back(broker); }
    void start_anywhere(const Draw& draw) {
        if (!brokers_.empty()) {
            offset_ = draw() % brokers_.size();
        }
    }
    void shuffle(const Draw& draw) { controller::shuffle(brokers_, draw); }

    std::optional<int32_t> next(int32_t round) {
        if (brokers_.empty()) {
            return std::nullopt;
        }
        if (round_ != round) {
            round_ = round;
            given_ = 0;
            offset_ = (offset_ + 1) % brokers_.size();
        }
        if (given_ >= brokers_.size()) {
            return std::nullopt;
        }
        return brokers_[(given_++ + offset_) % brokers_.size()];
    }

 private:
    std::vector<int32_t> brokers_;
    size_t offset_ = 0;
    size_t given_ = 0;
    int32_t round_ = 0;
};

struct Rack {
    Rotation unfenced;
    Rotation fenced;

    std::optional<int32_t> next(int32_t round) {
        std::optional<int32_t> broker = unfenced.next(round);
        return broker ? broker : fenced.next(round);
    }
};

bool has_uncordoned_directory(const metadata::Broker& broker) {
    if (broker.directories.empty() || !broker.cordoned_directories) {
        return true;
    }
    return std::ranges::any_of(broker.directories, [&](const Uuid& directory) {
        return std::ranges::find(*broker.cordoned_directories, directory) ==
               broker.cordoned_directories->end();
    });
}

class Racks {
 public:
    Racks(const State& state, const Draw& draw) : draw_(draw) {
        std::map<std::optional<std::string>, Rack> racks;
        for (const auto& [id, broker] : state.image().cluster.brokers) {
            if (broker.in_controlled_shutdown || !has_uncordoned_directory(broker)) {
                continue;
            }
            Rack& rack = racks[broker.rack];
            (broker.fenced ? rack.fenced : rack.unfenced).add(id);
            ++total_;
            unfenced_ += broker.fenced ? 0 : 1;
        }
        for (auto& [name, rack] : racks) {
            rack.unfenced.start_anywhere(draw_);
            rack.fenced.start_anywhere(draw_);
            racks_.push_back(std::move(rack));
        }
        offset_ = racks_.empty() ? 0 : draw_() % racks_.size();
    }

    int32_t total() const { return total_; }
    int32_t unfenced() const { return unfenced_; }

    std::vector<int32_t> place(int32_t replication_factor) {
        // As many different assignments as there are unfenced brokers; then a new order.
        if (round_ == unfenced_ && unfenced_ > 1) {
            shuffle(racks_, draw_);
            for (Rack& rack : racks_) {
                rack.unfenced.shuffle(draw_);
                rack.fenced.shuffle(draw_);
            }
            round_ = 0;
        }
        offset_ %= racks_.size();
        std::vector<int32_t> brokers;
        // The preferred leader must be alive: some rack has an unfenced broker.
        std::optional<size_t> first_rack = offset_;
        while (true) {
            if (std::optional<int32_t> leader = racks_[*first_rack].unfenced.next(round_)) {
                brokers.push_back(*leader);
                break;
            }
            first_rack = (*first_rack + 1) % racks_.size();
        }
        size_t at = offset_;
        while (static_cast<int32_t>(brokers.size()) < replication_factor) {
            if (first_rack == at) {
                first_rack = std::nullopt;  // it had its turn with the leader
            } else if (std::optional<int32_t> broker = racks_[at].next(round_)) {
                brokers.push_back(*broker);
            }
            at = (at + 1) % racks_.size();
        }
        ++round_;
        ++offset_;
        return brokers;
    }

 private:
    const Draw& draw_;
    std::vector<Rack> racks_;
    int32_t total_ = 0;
    int32_t unfenced_ = 0;
    size_t offset_ = 0;
    int32_t round_ = 0;
};

}  // namespace

Result<std::vector<std::vector<int32_t>>> place_replicas(const State& state, int32_t partitions,
                                                         int32_t replication_factor,
                                                         const Draw& draw) {
    Racks racks(state, draw);
    if (replication_factor <= 0) {
        return fail(ErrorCode::InvalidReplicationFactor,
                    "Invalid replication factor {}: the replication factor must be positive.",
                    replication_factor);
    }
    if (racks.unfenced() == 0) {
        return fail(
            ErrorCode::InvalidReplicationFactor,
            "All brokers are currently fenced, or have all their log directories cordoned.");
    }
    if (replication_factor > racks.total()) {
        return fail(ErrorCode::InvalidReplicationFactor,
                    "The target replication factor of {} cannot be reached because only {} "
                    "broker(s) are registered or some brokers have all their log directories "
                    "cordoned.",
                    replication_factor, racks.total());
    }
    std::vector<std::vector<int32_t>> placed;
    placed.reserve(static_cast<size_t>(partitions));
    for (int32_t i = 0; i < partitions; ++i) {
        placed.push_back(racks.place(replication_factor));
    }
    return placed;
}

}  // namespace moldau::controller
