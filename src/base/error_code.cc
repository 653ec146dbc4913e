#include "base/error_code.h"

#include <array>

namespace moldau {
namespace {

struct ErrorRow {
    std::string_view name;
    std::string_view exception;
    bool retriable;
};

constexpr int16_t kFirst = -1;

// Indexed by code - kFirst; Kafka's codes are dense.
constexpr std::array kRows = {
    ErrorRow{"UNKNOWN_SERVER_ERROR", "UnknownServerException", false},
    ErrorRow{"NONE", "", false},
    ErrorRow{"OFFSET_OUT_OF_RANGE", "OffsetOutOfRangeException", false},
    ErrorRow{"CORRUPT_MESSAGE", "CorruptRecordException", true},
    ErrorRow{"UNKNOWN_TOPIC_OR_PARTITION", "UnknownTopicOrPartitionException", true},
    ErrorRow{"INVALID_FETCH_SIZE", "InvalidFetchSizeException", false},
    ErrorRow{"LEADER_NOT_AVAILABLE", "LeaderNotAvailableException", true},
    ErrorRow{"NOT_LEADER_OR_FOLLOWER", "NotLeaderOrFollowerException", true},
    ErrorRow{"REQUEST_TIMED_OUT", "TimeoutException", true},
    ErrorRow{"BROKER_NOT_AVAILABLE", "BrokerNotAvailableException", false},
    ErrorRow{"REPLICA_NOT_AVAILABLE", "ReplicaNotAvailableException", true},
    ErrorRow{"MESSAGE_TOO_LARGE", "RecordTooLargeException", false},
    ErrorRow{"STALE_CONTROLLER_EPOCH", "ControllerMovedException", false},
    ErrorRow{"OFFSET_METADATA_TOO_LARGE", "OffsetMetadataTooLarge", false},
    ErrorRow{"NETWORK_EXCEPTION", "NetworkException", true},
    ErrorRow{"COORDINATOR_LOAD_IN_PROGRESS", "CoordinatorLoadInProgressException", true},
    ErrorRow{"COORDINATOR_NOT_AVAILABLE", "CoordinatorNotAvailableException", true},
    ErrorRow{"NOT_COORDINATOR", "NotCoordinatorException", true},
    ErrorRow{"INVALID_TOPIC_EXCEPTION", "InvalidTopicException", false},
    ErrorRow{"RECORD_LIST_TOO_LARGE", "RecordBatchTooLargeException", false},
    ErrorRow{"NOT_ENOUGH_REPLICAS", "NotEnoughReplicasException", true},
    ErrorRow{"NOT_ENOUGH_REPLICAS_AFTER_APPEND", "NotEnoughReplicasAfterAppendException", true},
    ErrorRow{"INVALID_REQUIRED_ACKS", "InvalidRequiredAcksException", false},
    ErrorRow{"ILLEGAL_GENERATION", "IllegalGenerationException", false},
    ErrorRow{"INCONSISTENT_GROUP_PROTOCOL", "InconsistentGroupProtocolException", false},
    ErrorRow{"INVALID_GROUP_ID", "InvalidGroupIdException", false},
    ErrorRow{"UNKNOWN_MEMBER_ID", "UnknownMemberIdException", false},
    ErrorRow{"INVALID_SESSION_TIMEOUT", "InvalidSessionTimeoutException", false},
    ErrorRow{"REBALANCE_IN_PROGRESS", "RebalanceInProgressException", false},
    ErrorRow{"INVALID_COMMIT_OFFSET_SIZE", "InvalidCommitOffsetSizeException", false},
    ErrorRow{"TOPIC_AUTHORIZATION_FAILED", "TopicAuthorizationException", false},
    ErrorRow{"GROUP_AUTHORIZATION_FAILED", "GroupAuthorizationException", false},
    ErrorRow{"CLUSTER_AUTHORIZATION_FAILED", "ClusterAuthorizationException", false},
    ErrorRow{"INVALID_TIMESTAMP", "InvalidTimestampException", false},
    ErrorRow{"UNSUPPORTED_SASL_MECHANISM", "UnsupportedSaslMechanismException", false},
    ErrorRow{"ILLEGAL_SASL_STATE", "IllegalSaslStateException", false},
    ErrorRow{"UNSUPPORTED_VERSION", "UnsupportedVersionException", false},
    ErrorRow{"TOPIC_ALREADY_EXISTS", "TopicExistsException", false},
    ErrorRow{"INVALID_PARTITIONS", "InvalidPartitionsException", false},
    ErrorRow{"INVALID_REPLICATION_FACTOR", "InvalidReplicationFactorException", false},
    ErrorRow{"INVALID_REPLICA_ASSIGNMENT", "InvalidReplicaAssignmentException", false},
    ErrorRow{"INVALID_CONFIG", "InvalidConfigurationException", false},
    ErrorRow{"NOT_CONTROLLER", "NotControllerException", true},
    ErrorRow{"INVALID_REQUEST", "InvalidRequestException", false},
    ErrorRow{"UNSUPPORTED_FOR_MESSAGE_FORMAT", "UnsupportedForMessageFormatException", false},
    ErrorRow{"POLICY_VIOLATION", "PolicyViolationException", false},
    ErrorRow{"OUT_OF_ORDER_SEQUENCE_NUMBER", "OutOfOrderSequenceException", false},
    ErrorRow{"DUPLICATE_SEQUENCE_NUMBER", "DuplicateSequenceException", false},
    ErrorRow{"INVALID_PRODUCER_EPOCH", "InvalidProducerEpochException", false},
    ErrorRow{"INVALID_TXN_STATE", "InvalidTxnStateException", false},
    ErrorRow{"INVALID_PRODUCER_ID_MAPPING", "InvalidPidMappingException", false},
    ErrorRow{"INVALID_TRANSACTION_TIMEOUT", "InvalidTxnTimeoutException", false},
    ErrorRow{"CONCURRENT_TRANSACTIONS", "ConcurrentTransactionsException", true},
    ErrorRow{"TRANSACTION_COORDINATOR_FENCED", "TransactionCoordinatorFencedException", false},
    ErrorRow{"TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "TransactionalIdAuthorizationException",
             false},
    ErrorRow{"SECURITY_DISABLED", "SecurityDisabledException", false},
    ErrorRow{"OPERATION_NOT_ATTEMPTED", "OperationNotAttemptedException", false},
    ErrorRow{"KAFKA_STORAGE_ERROR", "KafkaStorageException", true},
    ErrorRow{"LOG_DIR_NOT_FOUND", "LogDirNotFoundException", false},
    ErrorRow{"SASL_AUTHENTICATION_FAILED", "SaslAuthenticationException", false},
    ErrorRow{"UNKNOWN_PRODUCER_ID", "UnknownProducerIdException", false},
    ErrorRow{"REASSIGNMENT_IN_PROGRESS", "ReassignmentInProgressException", false},
    ErrorRow{"DELEGATION_TOKEN_AUTH_DISABLED", "DelegationTokenDisabledException", false},
    ErrorRow{"DELEGATION_TOKEN_NOT_FOUND", "DelegationTokenNotFoundException", false},
    ErrorRow{"DELEGATION_TOKEN_OWNER_MISMATCH", "DelegationTokenOwnerMismatchException", false},
    ErrorRow{"DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", "UnsupportedByAuthenticationException", false},
    ErrorRow{"DELEGATION_TOKEN_AUTHORIZATION_FAILED", "DelegationTokenAuthorizationException",
             false},
    ErrorRow{"DELEGATION_TOKEN_EXPIRED", "DelegationTokenExpiredException", false},
    ErrorRow{"INVALID_PRINCIPAL_TYPE", "InvalidPrincipalTypeException", false},
    ErrorRow{"NON_EMPTY_GROUP", "GroupNotEmptyException", false},
    ErrorRow{"GROUP_ID_NOT_FOUND", "GroupIdNotFoundException", false},
    ErrorRow{"FETCH_SESSION_ID_NOT_FOUND", "FetchSessionIdNotFoundException", true},
    ErrorRow{"INVALID_FETCH_SESSION_EPOCH", "InvalidFetchSessionEpochException", true},
    ErrorRow{"LISTENER_NOT_FOUND", "ListenerNotFoundException", true},
    ErrorRow{"TOPIC_DELETION_DISABLED", "TopicDeletionDisabledException", false},
    ErrorRow{"FENCED_LEADER_EPOCH", "FencedLeaderEpochException", true},
    ErrorRow{"UNKNOWN_LEADER_EPOCH", "UnknownLeaderEpochException", true},
    ErrorRow{"UNSUPPORTED_COMPRESSION_TYPE", "UnsupportedCompressionTypeException", false},
    ErrorRow{"STALE_BROKER_EPOCH", "StaleBrokerEpochException", false},
    ErrorRow{"OFFSET_NOT_AVAILABLE", "OffsetNotAvailableException", true},
    ErrorRow{"MEMBER_ID_REQUIRED", "MemberIdRequiredException", false},
    ErrorRow{"PREFERRED_LEADER_NOT_AVAILABLE", "PreferredLeaderNotAvailableException", true},
    ErrorRow{"GROUP_MAX_SIZE_REACHED", "GroupMaxSizeReachedException", false},
    ErrorRow{"FENCED_INSTANCE_ID", "FencedInstanceIdException", false},
    ErrorRow{"ELIGIBLE_LEADERS_NOT_AVAILABLE", "EligibleLeadersNotAvailableException", true},
    ErrorRow{"ELECTION_NOT_NEEDED", "ElectionNotNeededException", true},
    ErrorRow{"NO_REASSIGNMENT_IN_PROGRESS", "NoReassignmentInProgressException", false},
    ErrorRow{"GROUP_SUBSCRIBED_TO_TOPIC", "GroupSubscribedToTopicException", false},
    ErrorRow{"INVALID_RECORD", "InvalidRecordException", false},
    ErrorRow{"UNSTABLE_OFFSET_COMMIT", "UnstableOffsetCommitException", true},
    ErrorRow{"THROTTLING_QUOTA_EXCEEDED", "ThrottlingQuotaExceededException", true},
    ErrorRow{"PRODUCER_FENCED", "ProducerFencedException", false},
    ErrorRow{"RESOURCE_NOT_FOUND", "ResourceNotFoundException", false},
    ErrorRow{"DUPLICATE_RESOURCE", "DuplicateResourceException", false},
    ErrorRow{"UNACCEPTABLE_CREDENTIAL", "UnacceptableCredentialException", false},
    ErrorRow{"INCONSISTENT_VOTER_SET", "InconsistentVoterSetException", false},
    ErrorRow{"INVALID_UPDATE_VERSION", "InvalidUpdateVersionException", false},
    ErrorRow{"FEATURE_UPDATE_FAILED", "FeatureUpdateFailedException", false},
    ErrorRow{"PRINCIPAL_DESERIALIZATION_FAILURE", "PrincipalDeserializationException", false},
    ErrorRow{"SNAPSHOT_NOT_FOUND", "SnapshotNotFoundException", false},
    ErrorRow{"POSITION_OUT_OF_RANGE", "PositionOutOfRangeException", false},
    ErrorRow{"UNKNOWN_TOPIC_ID", "UnknownTopicIdException", true},
    ErrorRow{"DUPLICATE_BROKER_REGISTRATION", "DuplicateBrokerRegistrationException", false},
    ErrorRow{"BROKER_ID_NOT_REGISTERED", "BrokerIdNotRegisteredException", false},
    ErrorRow{"INCONSISTENT_TOPIC_ID", "InconsistentTopicIdException", true},
    ErrorRow{"INCONSISTENT_CLUSTER_ID", "InconsistentClusterIdException", false},
    ErrorRow{"TRANSACTIONAL_ID_NOT_FOUND", "TransactionalIdNotFoundException", false},
    ErrorRow{"FETCH_SESSION_TOPIC_ID_ERROR", "FetchSessionTopicIdException", true},
    ErrorRow{"INELIGIBLE_REPLICA", "IneligibleReplicaException", false},
    ErrorRow{"NEW_LEADER_ELECTED", "NewLeaderElectedException", false},
    ErrorRow{"OFFSET_MOVED_TO_TIERED_STORAGE", "OffsetMovedToTieredStorageException", false},
    ErrorRow{"FENCED_MEMBER_EPOCH", "FencedMemberEpochException", false},
    ErrorRow{"UNRELEASED_INSTANCE_ID", "UnreleasedInstanceIdException", false},
    ErrorRow{"UNSUPPORTED_ASSIGNOR", "UnsupportedAssignorException", false},
    ErrorRow{"STALE_MEMBER_EPOCH", "StaleMemberEpochException", false},
    ErrorRow{"MISMATCHED_ENDPOINT_TYPE", "MismatchedEndpointTypeException", false},
    ErrorRow{"UNSUPPORTED_ENDPOINT_TYPE", "UnsupportedEndpointTypeException", false},
    ErrorRow{"UNKNOWN_CONTROLLER_ID", "UnknownControllerIdException", false},
    ErrorRow{"UNKNOWN_SUBSCRIPTION_ID", "UnknownSubscriptionIdException", false},
    ErrorRow{"TELEMETRY_TOO_LARGE", "TelemetryTooLargeException", false},
    ErrorRow{"INVALID_REGISTRATION", "InvalidRegistrationException", false},
    ErrorRow{"TRANSACTION_ABORTABLE", "TransactionAbortableException", false},
    ErrorRow{"INVALID_RECORD_STATE", "InvalidRecordStateException", false},
    ErrorRow{"SHARE_SESSION_NOT_FOUND", "ShareSessionNotFoundException", true},
    ErrorRow{"INVALID_SHARE_SESSION_EPOCH", "InvalidShareSessionEpochException", true},
    ErrorRow{"FENCED_STATE_EPOCH", "FencedStateEpochException", false},
    ErrorRow{"INVALID_VOTER_KEY", "InvalidVoterKeyException", false},
    ErrorRow{"DUPLICATE_VOTER", "DuplicateVoterException", false},
    ErrorRow{"VOTER_NOT_FOUND", "VoterNotFoundException", false},
    ErrorRow{"INVALID_REGULAR_EXPRESSION", "InvalidRegularExpression", false},
    ErrorRow{"REBOOTSTRAP_REQUIRED", "RebootstrapRequiredException", false},
    ErrorRow{"STREAMS_INVALID_TOPOLOGY", "StreamsInvalidTopologyException", false},
    ErrorRow{"STREAMS_INVALID_TOPOLOGY_EPOCH", "StreamsInvalidTopologyEpochException", false},
    ErrorRow{"STREAMS_TOPOLOGY_FENCED", "StreamsTopologyFencedException", false},
    ErrorRow{"SHARE_SESSION_LIMIT_REACHED", "ShareSessionLimitReachedException", true},
};

const ErrorRow& row(ErrorCode code) {
    auto index = static_cast<size_t>(to_wire(code) - kFirst);
    return index < kRows.size() ? kRows[index] : kRows[0];
}

}  // namespace

std::string_view error_name(ErrorCode code) {
    return row(code).name;
}

std::string_view error_exception(ErrorCode code) {
    return row(code).exception;
}

bool is_retriable(ErrorCode code) {
    return row(code).retriable;
}

ErrorCode error_code_from_wire(int16_t number) {
    auto index = static_cast<size_t>(number - kFirst);
    return index < kRows.size() ? static_cast<ErrorCode>(number) : ErrorCode::UnknownServerError;
}

}  // namespace moldau
