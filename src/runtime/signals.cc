#include "runtime/signals.h"

#include <boost/asio/signal_set.hpp>

#include "runtime/loop_impl.h"

namespace moldau::runtime {

struct SignalWatch::Impl : std::enable_shared_from_this<SignalWatch::Impl> {
    Impl(LoopThread& loop, std::function<void(int)> callback)
        : signals(loop.impl().context), on_signal(std::move(callback)) {}

    void wait() {
        signals.async_wait(
            [self = shared_from_this()](const boost::system::error_code& error, int number) {
                if (error) {
                    return;
                }
                self->wait();
                self->on_signal(number);
            });
    }

    boost::asio::signal_set signals;
    std::function<void(int)> on_signal;
};

SignalWatch::SignalWatch(LoopThread& loop, std::initializer_list<int> signals,
                         std::function<void(int)> on_signal)
    : impl_(std::make_shared<Impl>(loop, std::move(on_signal))) {
    for (int number : signals) {
        impl_->signals.add(number);
    }
    loop.post([impl = impl_] { impl->wait(); });
}

SignalWatch::~SignalWatch() {
    boost::system::error_code ignored;
    impl_->signals.cancel(ignored);
}

}  // namespace moldau::runtime
