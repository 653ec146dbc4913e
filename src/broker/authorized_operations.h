// The operations that exist for each kind of resource, as the bit fields that Metadata,
// DescribeCluster, DescribeTopicPartitions and DescribeGroups answer with when nothing is
// forbidden. Bit n stands for the operation whose code is n (AclOperation).
#pragma once

#include <cstdint>
#include <limits>

namespace moldau::broker {

// "Not asked for."
inline constexpr int32_t kNoAuthorizedOperations = std::numeric_limits<int32_t>::min();

constexpr int32_t operation_bits(std::initializer_list<int> operations) {
    int32_t bits = 0;
    for (int operation : operations) {
        bits |= 1 << operation;
    }
    return bits;
}

inline constexpr int kReadOperation = 3;
inline constexpr int kWriteOperation = 4;
inline constexpr int kCreateOperation = 5;
inline constexpr int kDeleteOperation = 6;
inline constexpr int kAlterOperation = 7;
inline constexpr int kDescribeOperation = 8;
inline constexpr int kClusterActionOperation = 9;
inline constexpr int kDescribeConfigsOperation = 10;
inline constexpr int kAlterConfigsOperation = 11;
inline constexpr int kIdempotentWriteOperation = 12;

inline constexpr int32_t kTopicOperations = operation_bits(
    {kReadOperation, kWriteOperation, kCreateOperation, kDeleteOperation, kAlterOperation,
     kDescribeOperation, kDescribeConfigsOperation, kAlterConfigsOperation});
inline constexpr int32_t kGroupOperations =
    operation_bits({kReadOperation, kDeleteOperation, kDescribeOperation, kDescribeConfigsOperation,
                    kAlterConfigsOperation});
inline constexpr int32_t kClusterOperations =
    operation_bits({kCreateOperation, kAlterOperation, kDescribeOperation, kClusterActionOperation,
                    kDescribeConfigsOperation, kAlterConfigsOperation, kIdempotentWriteOperation});

}  // namespace moldau::broker
