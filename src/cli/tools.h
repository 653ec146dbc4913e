// The functions behind the tools, one per file in src/cli. tool.cc lists them; a new tool is one
// declaration here, one line there and its own file.
#pragma once

#include "cli/tool.h"

namespace moldau::cli {

int run_kafka_broker_api_versions(Arguments arguments, Streams& streams);
int run_kafka_cluster(Arguments arguments, Streams& streams);
int run_kafka_groups(Arguments arguments, Streams& streams);
int run_kafka_metadata_quorum(Arguments arguments, Streams& streams);
int run_kafka_configs(Arguments arguments, Streams& streams);
int run_kafka_get_offsets(Arguments arguments, Streams& streams);
int run_kafka_consumer_groups(Arguments arguments, Streams& streams);
int run_kafka_dump_log(Arguments arguments, Streams& streams);
int run_kafka_console_consumer(Arguments arguments, Streams& streams);
int run_kafka_console_producer(Arguments arguments, Streams& streams);
int run_kafka_producer_perf_test(Arguments arguments, Streams& streams);
int run_kafka_server_start(Arguments arguments, Streams& streams);
int run_kafka_storage(Arguments arguments, Streams& streams);
int run_kafka_server_stop(Arguments arguments, Streams& streams);
int run_kafka_topics(Arguments arguments, Streams& streams);

}  // namespace moldau::cli
