// DescribeConfigs (key 32), versions 1-4.
// Behaviour: every key of the resource with its value, where that comes from, and with synonyms
// every value below it. Topics, this broker (or with an empty name the cluster-wide defaults), this
// broker's loggers, client-metrics subscriptions, groups. A list of keys narrows the answer; an
// empty list does not. An error concerns its resource alone. Documentation is null: this project
// has no text of its own per key. Version notes: v1 synonyms and sources (KIP-226); v3 types and
// documentation (KIP-569); v4 flexible.
#pragma once

#include "broker/request.h"
#include "config/server_config.h"
#include "metadata/image.h"
#include "protocol/messages/describe_configs.h"

namespace moldau::broker {

struct Broker;

void handle_describe_configs(Broker& broker, Request request);

protocol::DescribeConfigsResponse answer_describe_configs(
    const config::ServerConfig& config, const metadata::Image& image, int32_t node_id,
    const protocol::DescribeConfigsRequest& request);

}  // namespace moldau::broker
