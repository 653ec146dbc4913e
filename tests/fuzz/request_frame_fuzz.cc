// A request as it comes out of the framer: header, then the body that the header names.
#include "fuzz.h"
#include "protocol/header.h"
#include "protocol/testing/registry.h"

using namespace moldau;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input(data, size);
    protocol::Reader reader(input.rest());
    auto header = protocol::read_request_header(reader);
    if (!header) {
        MOLDAU_ASSERT(!header.error().message.empty());
        return 0;
    }
    const protocol::ApiInfo* api = protocol::find_api(header->request_api_key);
    MOLDAU_ASSERT(api != nullptr);
    const auto* type = protocol::testing::find_message_type(std::string(api->name) + "Request");
    MOLDAU_ASSERT(type != nullptr);
    protocol::Writer writer;
    type->rewrite(reader, writer, header->request_api_version);
    MOLDAU_ASSERT(writer.ok() || !reader.ok());
    return 0;
}
