#include "quorum/controller_host.h"

#include <deque>

#include "controller/activation.h"
#include "controller/brokers.h"
#include "controller/leaders.h"
#include "quorum/controller_apis.h"
#include "quorum/raft_wire.h"
#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/event_loop.h"
#include "runtime/logging.h"

namespace moldau::quorum {

namespace {

runtime::Logger log_("org.apache.kafka.controller.QuorumController");

constexpr size_t kElectionsPerPassMax = 1000;

std::unexpected<Error> not_controller() {
    return fail(ErrorCode::NotController, "this node is not the active controller");
}

}  // namespace

struct ControllerHost::Impl {
    Impl(Options o, QuorumDriver& q, MetadataLoader& m, runtime::EventLoop& l, runtime::Clock& c,
         runtime::Entropy& e)
        : options(std::move(o)),
          quorum(q),
          loader(m),
          loop(l),
          clock(c),
          draw([&e] { return e.draw(); }),
          sessions(milliseconds(options.config.broker_session_timeout_ms())) {}

    // The state after an append that is not committed yet.
    struct Uncommitted {
        int64_t offset;
        controller::State state;
    };
    // An answer that leaves when everything up to `offset` is published.
    struct Waiting {
        int64_t offset;
        protocol::Chain response;
        ControllerReply reply;
    };
    // A metadata transaction that the log has begun and not ended, and the state before it.
    struct Transaction {
        int64_t offset;
        controller::State before;
    };

    Options options;
    QuorumDriver& quorum;
    MetadataLoader& loader;
    runtime::EventLoop& loop;
    runtime::Clock& clock;
    controller::Draw draw;

    controller::State state;      // with everything that was appended
    controller::State committed;  // what survives a loss of leadership
    std::deque<Uncommitted> uncommitted;
    std::optional<Transaction> transaction;
    controller::Sessions sessions;
    std::deque<Waiting> waiting;  // by offset

    std::optional<LeaderEpoch> active_epoch;
    int64_t next_offset = 0;
    int64_t published_offset = -1;
    bool stopped = false;
    std::vector<std::function<void()>> activation_listeners;

    runtime::Timer fencing_timer;
    runtime::Timer no_op_timer;
    runtime::Timer balance_timer;
    runtime::Timer unclean_timer;

    controller::View view() const { return {state, options.config, options.cluster_id}; }

    void handle(ControllerRequest request, ControllerReply reply) {
        if (is_raft_api(request.api_key)) {
            return handle_raft(request, std::move(reply));
        }
        if (!active_epoch || stopped) {
            reply(not_controller());
            return;
        }
        ControllerContext context{view(), sessions, quorum, draw, next_offset, loop.now()};
        Result<EncodedDecision> decision = decide(context, request);
        if (!decision) {
            reply(fail(decision.error()));
            return;
        }
        if (Status status = append(decision->records, decision->atomic); !status) {
            if (status.error().code == ErrorCode::NotController) {
                reply(not_controller());
            } else {
                reply(decision->failed(status.error()));
            }
            return;
        }
        if (decision->afterwards) {
            decision->afterwards(sessions, next_offset - 1);
        }
        // An answer without records is still about uncommitted ones: it waits for those.
        answer_when_published(state.offset(), std::move(decision->response), std::move(reply));
    }

    void handle_raft(const ControllerRequest& request, ControllerReply reply) {
        RaftCall call{request.api_key, request.api_version, request.listener};
        Result<RaftQuestion> question =
            read_raft_request(call, request.body, {options.cluster_id, quorum.response_header()});
        if (!question) {
            return reply(fail(question.error()));
        }
        if (auto* answer = std::get_if<protocol::Chain>(&*question)) {
            return reply(std::move(*answer));
        }
        quorum.handle(std::get<consensus::Request>(std::move(*question)),
                      [call = std::move(call),
                       reply = std::move(reply)](const consensus::Response& answer) mutable {
                          reply(write_raft_response(call, answer));
                      });
    }

    void answer_when_published(int64_t offset, protocol::Chain response, ControllerReply reply) {
        if (offset <= published_offset) {
            reply(std::move(response));
            return;
        }
        waiting.push_back({offset, std::move(response), std::move(reply)});
    }

    // Appends and replays. Errors: NotController when leadership is gone, and what the quorum
    // refuses; nothing was then appended.
    Status append(const metadata::Records& records, bool atomic) {
        for (size_t from = 0; from < records.size();) {
            size_t count = records.size() - from;
            if (!atomic) {
                count = std::min(count, QuorumDriver::kRecordsPerAppendMax);
            }
            auto first = records.begin() + static_cast<ptrdiff_t>(from);
            metadata::Records part(first, first + static_cast<ptrdiff_t>(count));
            Result<Offset> last = quorum.prepare_append(*active_epoch, part);
            if (!last) {
                if (last.error().code == ErrorCode::NotLeaderOrFollower) {
                    return not_controller();
                }
                MOLDAU_LOG_ERROR(log_, "Cannot append to the metadata log: {}",
                                 last.error().message);
                return fail(last.error());
            }
            int64_t offset = last->value() - static_cast<int64_t>(count);
            for (const metadata::VersionedRecord& record : part) {
                // Our own decision, made on this very state: it cannot contradict it.
                Status replayed = state.replay(record.record, ++offset);
                MOLDAU_ASSERT(replayed.has_value());
            }
            uncommitted.push_back({last->value(), state});
            next_offset = last->value() + 1;
            from += count;
        }
        if (!records.empty()) {
            quorum.schedule_append();
        }
        return {};
    }

    // For what the controller does on its own; a failure has been logged and is tried again later.
    void append_own(const metadata::Records& records) {
        if (!records.empty()) {
            (void)append(records, false);
        }
    }

    void committed_own(const CommittedBatch& batch) {
        while (!uncommitted.empty() && uncommitted.front().offset <= batch.last_offset.value()) {
            committed = std::move(uncommitted.front().state);
            uncommitted.pop_front();
        }
    }

    void replay_committed(const CommittedBatch& batch) {
        int64_t offset = batch.base_offset.value();
        for (const metadata::VersionedRecord& versioned : batch.records) {
            if (std::holds_alternative<protocol::BeginTransactionRecord>(versioned.record)) {
                transaction = Transaction{offset, state};
            } else if (std::holds_alternative<protocol::EndTransactionRecord>(versioned.record)) {
                transaction.reset();
            } else if (std::holds_alternative<protocol::AbortTransactionRecord>(versioned.record) &&
                       transaction) {
                state = std::move(transaction->before);
                transaction.reset();
            }
            if (Status status = state.replay(versioned.record, offset); !status) {
                // The loader stops the node for the same record.
                MOLDAU_LOG_ERROR(log_, "Cannot replay a committed record: offset={} cause: {}",
                                 offset, status.error().message);
            }
            ++offset;
        }
        committed = state;
    }

    void activate(LeaderEpoch epoch) {
        MOLDAU_LOG_INFO(log_, "Becoming the active controller at epoch {}, new end offset {}",
                        epoch, quorum.log_end_offset());
        active_epoch = epoch;
        next_offset = quorum.log_end_offset().value();
        sessions.begin(state, options.config.is_broker() ? options.node_id : -1, loop.now());
        // A transaction that a former leader left open never happened.
        int64_t open_transaction = transaction ? transaction->offset : -1;
        if (transaction) {
            state = std::move(transaction->before);
            committed = state;
            transaction.reset();
        }
        controller::Activation activation = controller::activation_records(
            view(), options.bootstrap.records, options.bootstrap.source, open_transaction);
        MOLDAU_LOG_INFO(log_, "{}", activation.message);
        if (Status status = append(activation.records, activation.atomic); !status) {
            quorum.resign(epoch);
            return;
        }
        schedule_all();
        for (const auto& listener : activation_listeners) {
            listener();
        }
    }

    void deactivate() {
        if (!active_epoch) {
            return;
        }
        MOLDAU_LOG_INFO(log_, "Resigning as the active controller at epoch {}", *active_epoch);
        active_epoch.reset();
        state = committed;
        uncommitted.clear();
        cancel_all();
        fail_waiting();
    }

    void fail_waiting() {
        std::deque<Waiting> lost = std::move(waiting);
        waiting.clear();
        for (Waiting& entry : lost) {
            entry.reply(not_controller());
        }
    }

    void published(int64_t offset) {
        published_offset = offset;
        while (!waiting.empty() && waiting.front().offset <= offset) {
            Waiting done = std::move(waiting.front());
            waiting.pop_front();
            done.reply(std::move(done.response));
        }
    }

    // --- periodic work, while active
    // ---------------------------------------------------------------

    void cancel_all() {
        fencing_timer.cancel();
        no_op_timer.cancel();
        balance_timer.cancel();
        unclean_timer.cancel();
    }

    void schedule_all() {
        if (stopped) {
            return;
        }
        const config::ServerConfig& config = options.config;
        every(fencing_timer, milliseconds(config.broker_session_timeout_ms()) / 8,
              [this] { fence_one_stale_broker(); });
        every(no_op_timer, milliseconds(config.metadata_max_idle_interval_ms()),
              [this] { append_own({{protocol::NoOpRecord(), 0}}); });
        if (config.get_bool("auto.leader.rebalance.enable")) {
            every(balance_timer,
                  seconds(config.get_long("leader.imbalance.check.interval.seconds")), [this] {
                      append_own(controller::rebalance_leaders(view(), kElectionsPerPassMax));
                  });
        }
        every(unclean_timer, milliseconds(config.get_long("unclean.leader.election.interval.ms")),
              [this] {
                  append_own(controller::elect_unclean_leaders(view(), kElectionsPerPassMax));
              });
    }

    // An interval of 0 switches the work off.
    void every(runtime::Timer& timer, Duration interval, std::function<void()> work) {
        if (interval <= Duration(0)) {
            return;
        }
        timer = loop.schedule_after(interval, [this, &timer, interval, work = std::move(work)] {
            if (!active_epoch) {
                return;
            }
            work();
            if (active_epoch) {
                every(timer, interval, work);
            }
        });
    }

    void fence_one_stale_broker() {
        std::optional<int32_t> stale = sessions.expired(state, loop.now());
        if (!stale) {
            return;
        }
        MOLDAU_LOG_INFO(log_, "Fencing broker {} at epoch {} because its session has timed out.",
                        *stale, state.broker(*stale)->epoch);
        append_own(controller::fence_broker(view(), *stale));
    }
};

ControllerHost::ControllerHost(Options options, QuorumDriver& quorum, MetadataLoader& loader,
                               runtime::EventLoop& loop, runtime::Clock& clock,
                               runtime::Entropy& entropy)
    : impl_(std::make_unique<Impl>(std::move(options), quorum, loader, loop, clock, entropy)) {}

ControllerHost::~ControllerHost() = default;

void ControllerHost::start() {
    if (impl_->active_epoch) {
        impl_->schedule_all();
    }
}

void ControllerHost::stop() {
    impl_->stopped = true;
    impl_->cancel_all();
    impl_->fail_waiting();
}

void ControllerHost::handle(ControllerRequest request, ControllerReply reply) {
    impl_->handle(std::move(request), std::move(reply));
}

bool ControllerHost::serves(int16_t api_key) {
    return is_controller_api(api_key) || is_raft_api(api_key);
}

bool ControllerHost::is_active() const {
    return impl_->active_epoch.has_value();
}

void ControllerHost::on_activation(std::function<void()> listener) {
    impl_->activation_listeners.push_back(std::move(listener));
}

void ControllerHost::on_commit(const CommittedBatch& batch) {
    if (impl_->active_epoch == batch.epoch) {
        impl_->committed_own(batch);
    } else {
        impl_->replay_committed(batch);
    }
}

void ControllerHost::on_load_snapshot(SnapshotReader& snapshot) {
    impl_->deactivate();  // a leader never loads one
    impl_->state = controller::State();
    impl_->transaction.reset();
    int64_t offset = snapshot.last_contained_offset().value();
    while (true) {
        auto batch = snapshot.next();
        if (!batch || !*batch) {
            break;  // a fault is the loader's to tell
        }
        for (const metadata::VersionedRecord& record : (*batch)->records) {
            if (Status status = impl_->state.replay(record.record, offset); !status) {
                MOLDAU_LOG_ERROR(log_, "Cannot replay a snapshot record: {}",
                                 status.error().message);
            }
        }
    }
    impl_->committed = impl_->state;
}

void ControllerHost::on_leader_change(const consensus::LeaderAndEpoch& leader) {
    bool leads = leader.is_leader(BrokerId(impl_->options.node_id));
    if (leads && impl_->active_epoch == leader.epoch) {
        return;
    }
    impl_->deactivate();
    if (leads && !impl_->stopped) {
        impl_->activate(leader.epoch);
    }
}

void ControllerHost::publish(const metadata::Delta&, const metadata::ImagePtr& image) {
    impl_->published(image->provenance.offset);
}

}  // namespace moldau::quorum
