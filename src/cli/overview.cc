#include "cli/overview.h"

#include "cli/tool.h"

namespace moldau::cli {

void print_overview(std::FILE* out) {
    say(out,
        "Moldau {}: Apache Kafka {} in one program.\n"
        "\n"
        "Start a node:\n"
        "  moldau kafka-storage format --standalone -t $(moldau kafka-storage random-uuid) -c "
        "config/server.properties\n"
        "  moldau kafka-server-start config/server.properties\n"
        "\n"
        "Use it:\n"
        "  moldau kafka-topics --bootstrap-server localhost:9092 --create --topic orders\n"
        "  moldau kafka-console-producer --bootstrap-server localhost:9092 --topic orders\n"
        "  moldau kafka-console-consumer --bootstrap-server localhost:9092 --topic orders "
        "--from-beginning\n"
        "\n"
        "Tools ('moldau <tool> --help' shows the options; bin/<tool>.sh and links of that name "
        "do the same):\n",
        MOLDAU_VERSION, kKafkaVersion);
    std::string later;
    for (const Tool& tool : all_tools()) {
        if (tool.run != nullptr) {
            say(out, "  {:<28}{}\n", tool.name, tool.summary);
        } else {
            later += fmt::format("{}{}", later.empty() ? "" : ", ", tool.name);
        }
    }
    say(out, "\nNot here yet: {}.\n", later);
}

}  // namespace moldau::cli
