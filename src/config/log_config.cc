#include "config/log_config.h"
