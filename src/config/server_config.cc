#include "config/server_config.h"
