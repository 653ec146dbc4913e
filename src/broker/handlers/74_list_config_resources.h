// ListConfigResources (key 74), versions 0-1.
// Behaviour: names of the resources that have, or can have, configs. Version 0 lists client-metrics
// subscriptions alone (KIP-1000); version 1 the asked types, all of them when none is named
// (KIP-1142): groups and subscriptions that have configs, every broker twice (itself and its
// loggers), every topic. An unknown type is UnsupportedVersion for the whole request.
#pragma once

#include "broker/request.h"
#include "metadata/image.h"
#include "protocol/messages/list_config_resources.h"

namespace moldau::broker {

struct Broker;

void handle_list_config_resources(Broker& broker, Request request);

protocol::ListConfigResourcesResponse answer_list_config_resources(
    const metadata::Image& image, const protocol::ListConfigResourcesRequest& request,
    int16_t version);

}  // namespace moldau::broker
