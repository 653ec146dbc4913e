// The states of a classic group. Names are Kafka's and travel in DescribeGroups and ListGroups.
//
//   Empty              -> PreparingRebalance  a first member joins
//   Stable             -> PreparingRebalance  a member joins, leaves, fails or changes
//   CompletingRebalance-> PreparingRebalance  the same, before the leader has assigned
//   PreparingRebalance -> CompletingRebalance all members joined, or those who did not were dropped
//   PreparingRebalance -> Empty               nobody is left
//   CompletingRebalance-> Stable              the leader's assignment is committed
//   any                -> Dead                the shard was unloaded
#pragma once

#include <string_view>

namespace moldau::coordinator {

enum class ClassicState { Empty, PreparingRebalance, CompletingRebalance, Stable, Dead };

constexpr std::string_view state_name(ClassicState state) {
    switch (state) {
        case ClassicState::Empty:
            return "Empty";
        case ClassicState::PreparingRebalance:
            return "PreparingRebalance";
        case ClassicState::CompletingRebalance:
            return "CompletingRebalance";
        case ClassicState::Stable:
            return "Stable";
        case ClassicState::Dead:
            return "Dead";
    }
    return "Dead";
}

constexpr bool may_become(ClassicState from, ClassicState to) {
    using enum ClassicState;
    switch (to) {
        case Empty:
        case CompletingRebalance:
            return from == PreparingRebalance;
        case PreparingRebalance:
            return from == Empty || from == Stable || from == CompletingRebalance;
        case Stable:
            return from == CompletingRebalance;
        case Dead:
            return true;
    }
    return false;
}

}  // namespace moldau::coordinator
